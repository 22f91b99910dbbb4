"""The emulator's data plane: calls to models, the processes behind copies, what is measured, and what scales by it."""
