"""The picture of beyond/iwae.py: the bound by epoch, and images of codes from the prior."""

from types import SimpleNamespace

import numpy as np

from lecture10_vae.tf1 import tf
from lecture10_vae.utils import plotting
from lecture10_vae.utils.run import Run


def draw(session: tf.Session, model: SimpleNamespace, run: Run) -> None:
    """Draws results.png into the run's pictures."""
    bound = {"iwae": "bound", "vae": "elbo"}[model.objective]
    history = [epoch for epoch in run.history if "test" in epoch and epoch["epoch"] > 0]
    epochs = [epoch["epoch"] for epoch in history]
    code = np.random.default_rng(0).normal(size=[1, 40, *model.posterior.event_shape])
    samples = session.run(model.decoder(tf.constant(code, tf.float32)).mean())[0]
    with plotting.new_picture(*plotting.SCREEN) as picture:
        left, right = picture.subplots(1, 2)
        for part, label, color, marker in (
            ("train", "training images", plotting.ORANGE, "s"),
            ("test", "test images", plotting.BLUE, "o"),
        ):
            left.plot(epochs, [epoch[part][bound] for epoch in history], f"{marker}-", color=color, label=label)
        left.set(title="The bound that is trained", xlabel="epoch", ylabel="nats per image", xscale="log")
        left.legend(loc="lower right")
        plotting.show_images(right, samples, columns=8)
        right.set_title("Images of codes from the prior")
        plotting.save(picture, run.pictures_dir / "results.png")
