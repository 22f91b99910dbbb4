"""An emulator of SageMaker's hosting: AWS's wire protocols for an unmodified boto3, over a clock that a test may turn.

What it does by which of AWS's documents is in docs/emulator.md; what it does not do itself is moto's, on the same port.
"""
