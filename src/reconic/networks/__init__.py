"""Networks: plain torch modules, complex image in, complex image of the same shape out."""

from reconic.networks.base import Compute, Network
from reconic.networks.cnn import CNN
from reconic.networks.frames import PerFrame
from reconic.networks.hourglass import Hourglass
from reconic.networks.resnet import ResNet
from reconic.networks.resnet5block import ResNet5Block
from reconic.networks.unet import UNet

__all__ = ["CNN", "Compute", "Hourglass", "Network", "PerFrame", "ResNet", "ResNet5Block", "UNet"]
