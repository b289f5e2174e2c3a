"""Problems and neighbours that several scripts measure on."""
