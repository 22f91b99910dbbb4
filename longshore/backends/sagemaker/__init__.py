"""SageMaker: copies are counts of inference components on endpoints that many models share."""
