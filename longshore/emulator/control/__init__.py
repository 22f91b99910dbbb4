"""SageMaker's hosting API: what each operation checks, changes and answers."""
