"""Recons: what maps measurements and a forward model to an image, and the blocks to make one."""

from reconic.recons.admm import ADMM
from reconic.recons.base import Block, Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise, GradientStep, Unroll
from reconic.recons.cgsense import CGSense, ZeroFilled
from reconic.recons.chain import Chain
from reconic.recons.compressed_sensing import CompressedSensing
from reconic.recons.dbp import DeepBasisPursuit
from reconic.recons.deep_equilibrium import DeepEquilibrium
from reconic.recons.deep_image_prior import DeepImagePrior
from reconic.recons.modl import MoDL
from reconic.recons.plug_and_play import PlugAndPlay
from reconic.recons.proximal import Proximal, ProximalGradient
from reconic.recons.resnet import ResNetRecon
from reconic.recons.sensitivity import SensitivityNetwork
from reconic.recons.varnet import VarNet
from reconic.recons.zero_shot import ZeroShot

__all__ = [
    "ADMM",
    "Block",
    "CGSense",
    "Chain",
    "CompressedSensing",
    "DataConsistency",
    "DeepBasisPursuit",
    "DeepEquilibrium",
    "DeepImagePrior",
    "Denoise",
    "GradientStep",
    "MoDL",
    "PlugAndPlay",
    "Problem",
    "Proximal",
    "ProximalGradient",
    "Recon",
    "ResNetRecon",
    "SensitivityNetwork",
    "Unroll",
    "VarNet",
    "ZeroFilled",
    "ZeroShot",
]
