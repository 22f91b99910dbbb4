"""How long things take, in emulated seconds. Orders of magnitude of the real service, as data: set them as you like."""

from pydantic import BaseModel, ConfigDict, Field


class Durations(BaseModel):
    """Seconds that the emulator lets pass; a test sets those that it is about."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    instance_launch: float = Field(default=180.0, ge=0)
    """From asking for an instance to having it: 3 to 5 minutes for GPU types."""
    instance_end: float = Field(default=30.0, ge=0)
    """From giving an endpoint up to its instances being gone."""
    copy_load: float = Field(default=90.0, ge=0)
    """Bringing the image and the model to an instance."""
    copy_cached_load: float = Field(default=15.0, ge=0)
    """The same where the instance has them already: another copy of the same container was there, or is."""
    copy_start: float = Field(default=10.0, ge=0)
    """From the container's start to its first passed health check, where no real process serves."""
    copy_drain: float = Field(default=10.0, ge=0)
    """A copy that is ended finishes its requests and frees its room."""
    adapter_load: float = Field(default=5.0, ge=0)
    """Registering an adapter with its base component."""
    weights: float = Field(default=15.0, ge=0)
    """Putting other weights in place, or taking traffic back in a rollback."""
    idle_release: float = Field(default=300.0, ge=0)
    """How long an instance is without copies before managed instance scaling gives it back."""
    provision_timeout: float = Field(default=1800.0, ge=0)
    """How long an instance is asked for in vain, where the variant does not say."""
    capacity_retry: float = Field(default=30.0, gt=0)
    """Between two askings for an instance that was not to be had."""
