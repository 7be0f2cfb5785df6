"""DeepInPy's flat JSON configurations, of both dialects, its weights, losses and conventions."""

from reconic.compat.deepinpy.config import to_reconic
from reconic.compat.deepinpy.files import Imported, import_config, translated
from reconic.compat.deepinpy.keys import is_deepinpy
from reconic.compat.deepinpy.losses import SummedError, SummedMisfit
from reconic.compat.deepinpy.mask import FullySampled
from reconic.compat.deepinpy.recon import AsMeasured
from reconic.compat.deepinpy.weights import load_checkpoint, read_state_dict

__all__ = [
    "AsMeasured",
    "FullySampled",
    "Imported",
    "SummedError",
    "SummedMisfit",
    "import_config",
    "is_deepinpy",
    "load_checkpoint",
    "read_state_dict",
    "to_reconic",
    "translated",
]
