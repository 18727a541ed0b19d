"""What the exercises' reasoning cites beside the answers themselves: measured over seeds, or computed on a grid."""

from collections.abc import Callable

import numpy as np
from scipy.spatial import KDTree
from scipy.special import log_softmax, softmax

from lecture10_vae import bayesian_network, lower_bound, regression, vae, variational_inference
from lecture10_vae.beyond.experiments.over_seeds import mean_and_stddev, mean_and_stddev_of_each
from lecture10_vae.each_batch import each_batch
from lecture10_vae.studies import bound_on_grid, calibration, evidence, gaps
from lecture10_vae.studies.gaussians import Gaussian
from lecture10_vae.studies.training import train
from lecture10_vae.tf1 import tf
from lecture10_vae.utils import mnist
from lectures.solutions import bayesian_network as of_bayesian_network
from lectures.solutions import classification as of_classification
from lectures.solutions import lower_bound as of_lower_bound
from lectures.solutions import vae as of_vae
from lectures.solutions import variational_inference as of_variational_inference
from lectures.source.measure import SEEDS

STDDEVS = (1, 0.3, 0.1, 0.03)  # of the Bayesian network's prior
CODE_SIZES = (2, 5, 10, 20)


def measure() -> dict[str, dict]:
    """By section, and then by exercise."""
    gaps_by_samples = {k: of_lower_bound.gap_with_fifty_samples(k) for k in (1, 5, 50)}
    return {
        "lower_bound": {
            "bent": {str(bend): best_gaussian(bend) for bend in (0.6, 1.2)},
            "gap_by_samples_nats": {str(k): gap for k, gap in gaps_by_samples.items()},
            "weights": largest_weights(),
        },
        "variational_inference": {"hundred_steps": over_seeds(hundred_steps)},
        "vae": {
            "never_inked": never_inked(),
            "averaged": averaged_over_pixels(),
            "alike_by_code_percent": {
                str(size): mean_and_stddev([of_vae.alike_by_code(size, seed=seed) for seed in SEEDS])
                for size in CODE_SIZES
            },
            "alike_by_pixels_percent": alike_by_pixels(),
            "with_covariance": mean_and_stddev([of_vae.bound_with_a_covariance(seed=seed) for seed in SEEDS]),
        },
        "bayesian_network": {
            "spared_by_mean_percent": over_seeds(spared_by_mean),
            "prior": {str(stddev): over_seeds(lambda seed, s=stddev: with_prior(s, seed)) for stddev in STDDEVS},
        },
        "regression": {
            "floor": {str(floor): over_seeds(lambda seed, f=floor: with_floor(f, seed)) for floor in (0.2, 0.05)},
            "best_stddev": best_stddev(),
        },
        "classification": {
            "one_hot_accuracy": accuracy_with_one_hot_labels(),
            "temperature": over_seeds(with_temperature),
        },
    }


def over_seeds(measured: Callable[[int], dict[str, float]]) -> dict[str, dict]:
    """Means and stddevs of what a function of a seed returns."""
    return mean_and_stddev_of_each([measured(seed) for seed in SEEDS])


def best_gaussian(bend: float) -> dict[str, object]:
    """Stddevs of the best diagonal Gaussian and of the posterior, if the decoder has this bend; the gap, in nats."""
    codes, cell = evidence.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        log_joint = lower_bound.make_prior().log_prob(codes)
        log_joint += of_lower_bound.make_bent_decoder(codes, bend).log_prob(lower_bound.OBSERVATION)
        log_joint = session.run(log_joint).astype(np.float64)
    best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance=False)
    log_evidence = evidence.log_integral(log_joint, cell)
    mass = np.exp(log_joint - log_evidence) * cell
    exact = np.sqrt(mass @ (codes - mass @ codes) ** 2)
    return {
        "gap_nats": log_evidence - best.bound,
        "stddev": np.sqrt(np.diag(best.covariance)).tolist(),
        "exact_stddev": exact.tolist(),
    }


def largest_weights(samples: int = 1_000_000, count: int = 100) -> dict[str, float]:
    """Of weights P(x,z) / Q(z) at the best diagonal Gaussian: their relative variance, and where the largest are."""
    codes, cell = evidence.code_grid()
    with tf.Graph().as_default(), tf.Session() as session:
        model = lower_bound.build_graph()
        session.run(tf.global_variables_initializer())
        log_joint = bound_on_grid.log_densities(session, model, codes).log_joint
        best = bound_on_grid.best_in_family(log_joint, codes, cell, full_covariance=False)
        stddev = np.sqrt(np.diag(best.covariance))
        bound_on_grid.place(session, best.mean, best.covariance)
        log_weight, code = session.run([model.forms[0], model.code], {model.num_samples: samples})
    weight = np.exp(log_weight.astype(np.float64))
    largest = code[np.argsort(weight)[-count:]]
    return {
        "relative_variance": weight.var() / weight.mean() ** 2,
        "distance_of_the_largest_in_stddevs": (np.abs(largest - best.mean) / stddev).mean(axis=0).tolist(),
        "mean_of_the_largest": largest.mean(axis=0).tolist(),
    }


def hundred_steps(seed: int, epochs: int = 5, num_images: int = 500) -> dict[str, float]:
    """Mean bounds in nats: the encoder's, and after a hundred steps from there and from the prior."""
    images = mnist.load("test").images[:num_images]
    with of_variational_inference.trained_vae(mnist.load("train"), epochs, seed) as (session, model):
        encoder = Gaussian(*session.run([model.mean, model.stddev], {model.images: images}))
        each_image = variational_inference.build_graph(num_images, decoder=model.decoder)
        infer = each_batch(each_image.infer, num_images, [each_image.images, each_image.index])
        from_encoder, from_prior = (
            gaps.infer_images(session, each_image, infer, images, start, steps=100)[0] for start in (encoder, None)
        )
    return {"encoder": from_encoder[0], "from_encoder": from_encoder[100], "from_prior": from_prior[100]}


def never_inked() -> dict[str, int]:
    """Pixels that no training image inks; those of them that a test image does; and how many test images do."""
    never = mnist.load("train").pixels.max(axis=0) == 0
    test = mnist.load("test").pixels[:, never]
    return {
        "pixels": int(never.sum()),
        "inked_in_test": int((test.max(axis=0) > 0).sum()),
        "test_images": int((test.max(axis=1) > 0).sum()),
    }


def averaged_over_pixels(epochs: int = 1) -> dict[str, float]:
    """The divergence in nats where the reconstruction is a mean, and by how much a pixel of ten samples differs."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = vae.build_graph()
        averaged = model.reconstruction / (28 * 28) - model.kl
        optimize = tf.train.AdamOptimizer().minimize(-tf.reduce_mean(averaged))
        train(session, optimize, mnist.load("train"), epochs, model.images)
        samples = session.run(model.samples)
        kl = vae.evaluate(session, model, mnist.load("test").images)["kl"]
    return {"kl_nats": float(kl), "largest_stddev_over_samples": float(samples.std(axis=0).max())}


def alike_by_pixels() -> float:
    """How often the nearest training image, by its pixels, shows the same digit, in percent."""
    known, new = mnist.load("train").first(10_000), mnist.load("test").first(1_000)
    _, nearest = KDTree(known.images.reshape(-1, 784)).query(new.images.reshape(-1, 784))
    return float(100 * np.mean(known.labels[nearest] == new.labels))


def spared_by_mean(seed: int) -> dict[str, float]:
    """Exercise 2 of slides 27-29 with the smallest |mean| first, in percent."""
    return {"percent": of_bayesian_network.weights_to_spare(seed=seed, by_mean=True)}


def with_prior(stddev: float, seed: int, epochs: int = 10) -> dict[str, float]:
    """Exercise 3 of slides 27-29 for a stddev of the prior: bound in nats, test accuracy, best stddev given Q."""
    data, test = mnist.load("train").first(10_000), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model, kl = of_bayesian_network.train_with_prior(session, stddev, data, epochs, seed)
        bound = of_bayesian_network.training_bound(session, model, kl, data)
        answers = bayesian_network.predict(session, model, test.images, draws=20).mean(axis=0)
        mean, spread = session.run([model.mean, model.stddev])
    return {
        "bound_nats": bound,
        "test_accuracy": float(np.mean(answers.argmax(axis=1) == test.labels)),
        "best_stddev": float(np.sqrt((mean**2 + spread**2).mean())),
    }


def with_floor(floor: float, seed: int, epochs: int = 2) -> dict[str, float]:
    """Exercise 3 of slides 17-18 for a floor under the learned stddev: what regression.py evaluates on test images."""
    data, test = mnist.load("train"), mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph(learn_stddev=True, seed=seed, least_stddev=floor)
        train(session, model.optimize, data, epochs, model.images, model.digit, seed=seed)
        return regression.evaluate(session, model, test.images, test.labels)


def best_stddev(epochs: int = 1) -> float:
    """The stddev of exercise 2 of slides 17-18."""
    data = mnist.load("train")
    with tf.Graph().as_default(), tf.Session() as session:
        model = regression.build_graph()
        train(session, model.optimize, data, epochs, model.images, model.digit)
        return float(np.sqrt(regression.evaluate(session, model, data.images, data.labels)["squared_error"] / 10))


def accuracy_with_one_hot_labels() -> float:
    """The test accuracy of the network of exercise 2 of slides 19-20."""
    test = mnist.load("test")
    with tf.Graph().as_default(), tf.Session() as session:
        model = of_classification.train_with_one_hot_labels(session)[1]
        batches = np.split(test.images, len(test) // 10)  # the placeholder takes ten images
        probability = np.concatenate([session.run(model.probability, {model.images: ten}) for ten in batches])
    return float(np.mean(probability.argmax(axis=1) == test.labels))


def with_temperature(seed: int) -> dict[str, float]:
    """Exercise 3 of slides 19-20: the test images' numbers with and without the temperature of the held-out images."""
    data, test = mnist.load("train"), mnist.load("test")
    known, (_, held_out) = data.first(5_000), data.hold_out()
    with tf.Graph().as_default(), tf.Session() as session:
        model = of_classification.train_on(session, known, seed)
        logits = [session.run(model.dist.logits, {model.images: part.images}) for part in (held_out, test)]
    temperature = of_classification.temperature_of(logits[0], held_out.labels)
    numbers = {"temperature": temperature, "accuracy": np.mean(logits[1].argmax(axis=1) == test.labels)}
    for name, divisor in (("before", 1.0), ("after", temperature)):
        log_prob = log_softmax(logits[1] / divisor, axis=1)[np.arange(len(test.labels)), test.labels]
        error = calibration.expected_calibration_error(softmax(logits[1] / divisor, axis=1), test.labels)
        numbers |= {f"log_prob_{name}_nats": log_prob.mean(), f"calibration_error_{name}": error}
    return numbers
