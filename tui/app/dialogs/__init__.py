"""What opens over the main screen: questions, forms, details. All are modal, and escape does nothing else."""
