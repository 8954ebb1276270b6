"""What a panorama's networks must not depend on: where its left edge was cut."""

from __future__ import annotations

import pytest
import torch

from omniaudio_studio.training.networks.blocks import ChannelNorm, SphereConv, TemporalBlock
from omniaudio_studio.training.networks.vision import FrameEncoder, VisionConfig


@pytest.mark.parametrize("shift", [1, 5, 19])
@pytest.mark.parametrize("groups", [1, 4])
def test_the_convolution_commutes_with_rolling_columns(shift: int, groups: int) -> None:
    conv = SphereConv(4, 8, groups=groups).double()
    x = torch.randn(2, 4, 10, 20, dtype=torch.float64)
    assert conv(x).shape == (2, 8, 10, 20)
    torch.testing.assert_close(conv(x.roll(shift, -1)), conv(x).roll(shift, -1))
    assert not torch.allclose(conv(x.roll(shift, -1)), conv(x))


def test_a_stride_of_two_commutes_with_two_columns_at_a_time() -> None:
    conv = SphereConv(4, 8, stride=2).double()
    x = torch.randn(2, 4, 10, 20, dtype=torch.float64)
    assert conv(x).shape == (2, 8, 5, 10)
    torch.testing.assert_close(conv(x.roll(6, -1)), conv(x).roll(3, -1))
    assert not torch.allclose(conv(x.roll(1, -1)), conv(x))


def test_rows_beyond_the_poles_repeat_the_edge() -> None:
    conv = SphereConv(1, 1)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.zero_()
        conv.conv.weight[0, 0, 0, 1] = 1  # the pixel above
    x = torch.randn(1, 1, 4, 6)
    above = conv(x)
    assert torch.equal(above[0, 0, 0], x[0, 0, 0])
    assert torch.equal(above[0, 0, 1:], x[0, 0, :-1])


@pytest.mark.parametrize("cells", [1, 7, 19])
def test_the_frame_encoder_turns_with_the_panorama(cells: int) -> None:
    encoder = FrameEncoder(VisionConfig(stem=(8, 16, 32), depth=2)).double().eval()
    picture = torch.randn(2, 3, 160, 320, dtype=torch.float64)
    with torch.no_grad():
        plain = encoder(picture).unflatten(1, (10, 20))
        turned = encoder(picture.roll(16 * cells, -1)).unflatten(1, (10, 20))
    assert plain.shape == (2, 10, 20, 32)
    torch.testing.assert_close(turned, plain.roll(cells, 2))
    assert not torch.allclose(turned, plain)


def test_cells_run_row_by_row_from_the_upper_left() -> None:
    # Brighten the pixels of one cell: the feature that changes most is that cell's.
    encoder = FrameEncoder(VisionConfig(stem=(8, 16, 32), depth=1)).eval()
    picture = torch.zeros(1, 3, 192, 192)
    row, column = 3, 8
    marked = picture.clone()
    marked[..., 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 4
    with torch.no_grad():
        change = (encoder(marked) - encoder(picture)).norm(dim=-1)[0].view(12, 12)
    # (The strided convolutions look from the upper left corner of a cell.)
    at = divmod(int(change.argmax()), 12)
    assert at[0] in (row, row + 1) and at[1] in (column, column + 1)


def test_frames_do_not_see_each_other() -> None:
    encoder = FrameEncoder(VisionConfig(stem=(8, 16, 32), depth=1)).eval()
    pictures = torch.randn(3, 3, 160, 320)
    with torch.no_grad():
        torch.testing.assert_close(encoder(pictures)[1:2], encoder(pictures[1:2]))


@pytest.mark.parametrize("kernel", [3, 7])
def test_a_temporal_block_sees_half_its_kernel_to_either_side(kernel: int) -> None:
    block = TemporalBlock(6, kernel=kernel).double().eval()
    x = torch.randn(1, 6, 30, dtype=torch.float64)
    changed = x.clone()
    changed[..., 15] += torch.randn(6, dtype=torch.float64)
    with torch.no_grad():
        moved = (block(changed) - block(x)).abs().amax(dim=1)[0] > 0
    reach = kernel // 2
    assert torch.nonzero(moved).flatten().tolist() == list(range(15 - reach, 16 + reach))


def test_channel_norm_takes_each_frame_by_itself() -> None:
    x = torch.randn(2, 16, 9) * 5 + 3
    y = ChannelNorm(16)(x)
    torch.testing.assert_close(y.mean(dim=1), torch.zeros(2, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(dim=1, unbiased=False), torch.ones(2, 9), atol=1e-3, rtol=0)
