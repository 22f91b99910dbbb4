"""What this machine is: its name, and the GPUs that NVML finds."""

import re
import socket

import structlog

from longshore.backends.local.placement import Device

_GIB = 1024**3

logger = structlog.get_logger(__name__)


def machine_name() -> str:
    """The host's name as a DNS label; `localhost` when it has none."""
    label = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")
    return label[:63].rstrip("-") or "localhost"


def find_gpus() -> tuple[Device, ...]:
    """The GPUs of this machine in NVML's order; none when there is no driver.

    Memory is rounded to whole GiB, as cards are sold: an 80 GB H100 has 79.65 GiB and shall hold what asks for 80.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        logger.info("no GPUs: NVML is not there", cause=str(error))
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Device(
                key=pynvml.nvmlDeviceGetUUID(handle),
                memory_gib=round(pynvml.nvmlDeviceGetMemoryInfo(handle).total / _GIB),
                cuda=pynvml.nvmlDeviceGetUUID(handle),
            )
            for handle in handles
        )
    except pynvml.NVMLError as error:
        logger.warning("GPUs could not be read", cause=str(error))
        return ()
    finally:
        pynvml.nvmlShutdown()
