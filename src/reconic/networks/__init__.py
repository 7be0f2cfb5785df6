"""Networks: plain torch modules, complex image in, complex image of the same shape out."""

from reconic.networks.base import Network
from reconic.networks.cnn import CNN
from reconic.networks.resnet import ResNet
from reconic.networks.unet import UNet

__all__ = ["CNN", "Network", "ResNet", "UNet"]
