"""Any pretrained causal model of the Hugging Face format, tuned with LoRA."""
