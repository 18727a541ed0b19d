"""PyTorch as a student writes it: a module, autograd, Adam as it comes. No DataLoader, which would only slow it."""

import contender
import torch
from torch import nn
from torch.nn import functional


class VAE(nn.Module):
    def __init__(self, weights):
        super().__init__()
        layers = [nn.Linear(*kernel.shape) for kernel, _ in weights]
        for layer, (kernel, bias) in zip(layers, weights, strict=True):
            layer.weight.data, layer.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
        self.hidden, self.mean, self.stddev, self.decoder_hidden, self.logit = layers

    def forward(self, images):
        """The bound for each image."""
        hidden = torch.relu(self.hidden(images))
        mean, stddev = self.mean(hidden), functional.softplus(self.stddev(hidden)) + 1e-6
        code = mean + stddev * torch.randn_like(stddev)
        logit = self.logit(torch.relu(self.decoder_hidden(code)))
        reconstruction = -functional.binary_cross_entropy_with_logits(logit, images, reduction="none").sum(1)
        kl = ((mean**2 + stddev**2 - 1) / 2 - stddev.log()).sum(1)
        return reconstruction - kl


def build(pixels, options, fused=None, compiled=False):
    torch.manual_seed(options.seed)
    images = torch.from_numpy(contender.grey(pixels))
    model = VAE(contender.initial_weights(options))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=fused)

    def loss(images):
        return -model(images).mean()

    if compiled:
        loss = torch.compile(loss)

    def train_epoch(order):
        for chosen in torch.from_numpy(order).split(options.batch_size):
            optimizer.zero_grad()
            loss(images[chosen]).backward()
            optimizer.step()

    @torch.no_grad()
    def test_bound(pixels):
        return model(torch.from_numpy(contender.grey(pixels))).mean()

    return train_epoch, test_bound


if __name__ == "__main__":
    contender.run(build)
