"""Recons: what maps measurements and a forward model to an image, and the blocks to make one."""

from reconic.recons.base import Block, Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise, GradientStep, Unroll
from reconic.recons.cgsense import CGSense, ZeroFilled
from reconic.recons.chain import Chain
from reconic.recons.modl import MoDL
from reconic.recons.resnet import ResNetRecon

__all__ = [
    "Block",
    "CGSense",
    "Chain",
    "DataConsistency",
    "Denoise",
    "GradientStep",
    "MoDL",
    "Problem",
    "Recon",
    "ResNetRecon",
    "Unroll",
    "ZeroFilled",
]
