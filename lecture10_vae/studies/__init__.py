"""What is measured beside the slides. Each study gets a model as an argument and imports no script."""
