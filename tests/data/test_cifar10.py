import hashlib
import http.server
import io
import pickle
import shutil
import socket
import tarfile
import threading

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from vitdemo.config import ConfigError
from vitdemo.data import cifar10
from vitdemo.data.cifar10 import CLASSES, Split, download_full_set, load_cifar10, normalize
from vitdemo.data.sheets import make_sheets

# SHA-256 of the first records of the official binary files: label byte, red, green and blue plane.
DIGESTS = {
    "train": "25c919756e77f926c2ce5d52f3af2a33de8d75ff7868e4fcd0fa499745217b8d",
    "test": "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5",
}


@pytest.fixture
def fresh():
    """Clear cached images before and after a test that reads others than the project's."""
    cifar10._sample.cache_clear()
    cifar10._full.cache_clear()
    yield
    cifar10._sample.cache_clear()
    cifar10._full.cache_clear()


def records_of(split):
    return (
        torch.cat([split.labels[:, None].to(torch.uint8), split.images.flatten(1)], dim=1)
        .numpy()
        .tobytes()
    )


def random_records(count, seed=0):
    """Return random records in the format of the official binary files."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, (count, 1), dtype=np.uint8)
    return np.concatenate(
        [labels, rng.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)], axis=1
    )


# The sample that ships


def test_sample_equals_the_official_data():
    sample = load_cifar10(5000, 1000)
    assert hashlib.sha256(records_of(sample.train)).hexdigest() == DIGESTS["train"]
    assert hashlib.sha256(records_of(sample.validation)).hexdigest() == DIGESTS["test"]


def test_types_and_shapes():
    sample = load_cifar10(7, 3)
    assert (sample.train.images.shape, sample.validation.images.shape) == (
        (7, 3, 32, 32),
        (3, 3, 32, 32),
    )
    assert (sample.train.images.dtype, sample.train.labels.dtype) == (torch.uint8, torch.int64)
    assert (len(sample.train), len(sample.validation)) == (7, 3)


def test_labels_of_the_first_images():
    sample = load_cifar10(5000, 1000)
    first = [CLASSES[label] for label in sample.validation.labels[:5]]
    assert first == ["cat", "ship", "ship", "airplane", "frog"]
    assert sample.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    train, test = sample.train.labels, sample.validation.labels
    counts = [505, 460, 519, 486, 519, 488, 519, 486, 520, 498]
    assert torch.bincount(train).tolist() == counts
    assert torch.bincount(test).tolist() == [103, 89, 100, 103, 90, 86, 112, 102, 106, 109]


def test_default_image_counts_are_the_papers():
    sample = load_cifar10()
    assert (len(sample.train), len(sample.validation)) == (600, 200)


def test_fewer_images_are_the_first_of_more():
    few, many = load_cifar10(10, 5), load_cifar10(100, 50)
    assert torch.equal(few.train.images, many.train.images[:10])
    assert torch.equal(few.validation.labels, many.validation.labels[:5])


def test_held_out_images_follow_the_training_images():
    everything = load_cifar10(130, 1).train
    held_out = load_cifar10(100, 30, validation_from="train")
    assert torch.equal(held_out.train.images, everything.images[:100])
    assert torch.equal(held_out.validation.images, everything.images[100:])
    assert torch.equal(held_out.validation.labels, everything.labels[100:])


def test_held_out_images_are_never_test_images():
    tests = {image.numpy().tobytes() for image in load_cifar10(1, 1000).validation.images}
    held_out = load_cifar10(4000, 1000, validation_from="train").validation.images
    assert tests.isdisjoint(image.numpy().tobytes() for image in held_out)


@pytest.mark.parametrize("count", [0, -1, True, "5", 2.0, None], ids=repr)
@pytest.mark.parametrize("name", ["train_images", "validation_images"])
def test_invalid_image_count_is_refused(name, count):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number from 1 to"):
        load_cifar10(**{name: count})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((50_001, 1), "CIFAR-10 has 50,000 training images, and 50,001 are needed."),
        ((1, 10_001), "CIFAR-10 has 10,000 test images, and 10,001 are needed."),
        ((49_999, 2, "train"), "CIFAR-10 has 50,000 training images, and 50,001 are needed."),
        ((5_001, 1), "5,001 training images are needed, and 5,000 ship with the project."),
        ((1, 1_001), "1,001 test images are needed, and 1,000 ship with the project."),
        ((4_999, 2, "train"), "5,001 training images are needed, and 5,000 ship with the project."),
    ],
)
def test_too_many_images_are_refused(counts, message):
    with pytest.raises(ConfigError) as caught:
        load_cifar10(*counts)
    assert str(caught.value).startswith(message)


def test_unknown_validation_source_is_refused():
    with pytest.raises(ConfigError, match="validation_from must be test or train, not 'both'"):
        load_cifar10(1, 1, validation_from="both")


def test_split_is_indexed_by_slice_and_by_tensor():
    images = torch.arange(5 * 3 * 4, dtype=torch.uint8).reshape(5, 3, 2, 2)
    split = Split(images, torch.arange(5))
    assert split[1:3].labels.tolist() == [1, 2]
    assert split[torch.tensor([4, 0])].images[:, 0, 0, 0].tolist() == [48, 0]


# The script that makes the sheets


def test_sheets_contain_the_records_they_are_made_from(fresh, tmp_path, monkeypatch):
    files = {
        "train": ("batch.bin", random_records(250), 200),
        "test": ("test.bin", random_records(100, seed=1), 100),
    }
    sheets = {}
    for name, (file, records, count) in files.items():
        (tmp_path / file).write_bytes(records.tobytes())
        sheets[name] = (file, hashlib.sha1(records.tobytes()).hexdigest(), count)
    made = tmp_path / "sheets"
    made.mkdir()
    monkeypatch.setattr(make_sheets, "HERE", made)
    monkeypatch.setattr(make_sheets, "SHEETS", sheets)
    make_sheets.main(tmp_path)

    monkeypatch.setattr(cifar10, "SHEETS", made)
    sample = load_cifar10(200, 100)
    assert records_of(sample.train) == files["train"][1][:200].tobytes()
    assert records_of(sample.validation) == files["test"][1].tobytes()


def test_file_with_another_digest_is_refused(tmp_path, monkeypatch):
    (tmp_path / "data_batch_1.bin").write_bytes(random_records(100).tobytes())
    made = tmp_path / "sheets"
    made.mkdir()
    monkeypatch.setattr(make_sheets, "HERE", made)
    with pytest.raises(
        SystemExit, match=r"data_batch_1.bin has SHA-1 .*, not the official aadd24ac"
    ):
        make_sheets.main(tmp_path)
    assert list(made.iterdir()) == []


# Normalization


def test_normalized_values():
    pixels = torch.tensor([0, 51, 102, 255], dtype=torch.uint8)
    torch.testing.assert_close(normalize(pixels), torch.tensor([-1.0, -0.6, -0.2, 1.0]))
    assert normalize(pixels).dtype == torch.float32


# The full set, downloaded by torchvision

TRAIN_PARTS, PART_IMAGES, TEST_IMAGES = 5, 4, 6


def small_full_set():
    """Return the files of a small archive like the official one, and the records in them."""
    train, test = (
        random_records(TRAIN_PARTS * PART_IMAGES, seed=2),
        random_records(TEST_IMAGES, seed=3),
    )
    parts = {
        f"data_batch_{n + 1}": train[n * PART_IMAGES : (n + 1) * PART_IMAGES]
        for n in range(TRAIN_PARTS)
    }
    members = {
        name: pickle.dumps({"data": records[:, 1:], "labels": records[:, 0].tolist()})
        for name, records in (parts | {"test_batch": test}).items()
    }
    return members | {"batches.meta": pickle.dumps({"label_names": list(CLASSES)})}, train, test


def tar_gz(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def server():
    """Run a local web server that serves what a test puts into its `files`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.server.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        do_HEAD = do_GET

        def log_message(self, *_):
            """Keep the test's output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.files = {}
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield httpd
        httpd.shutdown()


@pytest.fixture
def full_set(fresh, server, monkeypatch):
    """Serve a CIFAR-10 of 20 and 6 images, of which 8 and 2 ship; return its records."""
    members, train, test = small_full_set()
    archive = tar_gz(members)
    server.files["/cifar.tar.gz"] = archive
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/cifar.tar.gz")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    monkeypatch.setattr(
        CIFAR10, "train_list", [[name, md5(members[name])] for name in list(members)[:TRAIN_PARTS]]
    )
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(members["test_batch"])]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(members["batches.meta"])})
    monkeypatch.setattr(cifar10, "SAMPLE", {"train": 8, "test": 2})
    monkeypatch.setattr(cifar10, "FULL", {"train": len(train), "test": len(test)})
    return train, test


def test_full_set_is_used_if_the_sample_is_too_small(full_set):
    train, test = full_set
    with pytest.raises(ConfigError, match="download the full CIFAR-10 first"):
        load_cifar10(20, 6)
    download_full_set()
    loaded = load_cifar10(20, 6)
    assert records_of(loaded.train) == train.tobytes()
    assert records_of(loaded.validation) == test.tobytes()
    assert (loaded.train.images.dtype, loaded.train.labels.dtype) == (torch.uint8, torch.int64)
    held_out = load_cifar10(15, 5, validation_from="train")
    assert records_of(held_out.validation) == train[15:].tobytes()


def test_full_set_is_downloaded_once(full_set, server):
    download_full_set()
    server.files.clear()
    download_full_set()
    assert len(load_cifar10(20, 1).train) == 20


def test_missing_file_on_the_server_is_reported(full_set, server):
    server.files.clear()
    with pytest.raises(ConfigError, match="Not Found") as caught:
        download_full_set()
    assert "The 8 training images that ship with the project work without it." in str(caught.value)
    assert len(load_cifar10(8, 2).train) == 8


def test_refused_connection_is_reported(full_set, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{port}/cifar.tar.gz")
    with pytest.raises(ConfigError, match="Check the network connection") as caught:
        download_full_set()
    assert "The 8 training images that ship with the project work without it." in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda content: content[:50] + b"x" + content[51:]]
)
def test_damaged_archive_is_refused_and_downloaded_again(full_set, server, damage):
    whole = server.files["/cifar.tar.gz"]
    server.files["/cifar.tar.gz"] = damage(whole)
    with pytest.raises(ConfigError, match="The download of CIFAR-10 failed"):
        download_full_set()
    server.files["/cifar.tar.gz"] = whole
    download_full_set()
    assert len(load_cifar10(20, 6).train) == 20


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_damaged_file_on_disk_is_refused(full_set, home, name):
    download_full_set()
    (home / "data" / "cifar-10-batches-py" / name).write_bytes(b"something else")
    with pytest.raises(ConfigError, match=r"is damaged\. Delete the folder data"):
        load_cifar10(20, 6)


def test_pickle_in_place_of_a_file_is_not_opened(full_set, home, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    download_full_set()
    (home / "data" / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Touch()))
    with pytest.raises(ConfigError, match="is damaged"):
        load_cifar10(20, 6)
    assert not (tmp_path / "opened").exists()


# The full set as arrays


def write_arrays(folder, part, records, kind=np.uint8):
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{part}.npz", x=images, y=records[:, 0].astype(kind))


@pytest.fixture
def arrays(fresh, home, monkeypatch):
    """Write a CIFAR-10 of 20 and 6 images as arrays, of which 8 and 2 ship; return its records."""
    train, test = random_records(20, seed=2), random_records(6, seed=3)
    for part, records in (("train", train), ("test", test)):
        write_arrays(home / "data", part, records)
    monkeypatch.setattr(cifar10, "SAMPLE", {"train": 8, "test": 2})
    monkeypatch.setattr(cifar10, "FULL", {"train": len(train), "test": len(test)})
    return train, test


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_full_set_can_be_arrays(arrays, home, kind):
    train, test = arrays
    write_arrays(home / "data", "train", train, kind)
    loaded = load_cifar10(20, 6)
    assert records_of(loaded.train) == train.tobytes()
    assert records_of(loaded.validation) == test.tobytes()
    assert (loaded.train.images.dtype, loaded.train.labels.dtype) == (torch.uint8, torch.int64)


def test_nothing_is_downloaded_if_arrays_exist(arrays, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:1/cifar.tar.gz")
    download_full_set()
    assert len(load_cifar10(20, 6).train) == 20


def test_one_array_alone_is_not_the_full_set(arrays, home):
    (home / "data" / "test.npz").unlink()
    with pytest.raises(ConfigError, match="download the full CIFAR-10 first"):
        load_cifar10(20, 2)


@pytest.mark.parametrize(
    "damage", [b"", b"not an array", b"PK\x03\x04 cut off"], ids=["empty", "text", "truncated"]
)
def test_damaged_array_file_is_refused(arrays, home, damage):
    (home / "data" / "train.npz").write_bytes(damage)
    with pytest.raises(ConfigError, match=r"is damaged\. Delete the folder data"):
        load_cifar10(20, 2)


@pytest.mark.parametrize(
    "write",
    [
        lambda x, y: {"x": x[:-1], "y": y[:-1]},
        lambda x, y: {"x": x, "y": y[:-1]},
        lambda x, y: {"x": x / 255, "y": y},
        lambda x, y: {"x": x.transpose(0, 3, 1, 2), "y": y},
        lambda x, y: {"x": x, "y": y.astype(float)},
        lambda x, y: {"x": x, "y": y + 10},
        lambda x, y: {"x": x, "y": y.astype(int) - 10},
        lambda x, y: {"x": x.view("V1"), "y": y},
        lambda x, y: {"x": x},
    ],
    ids=[
        "fewer images",
        "fewer labels",
        "floats",
        "axes",
        "float labels",
        "label above 9",
        "negative labels",
        "records",
        "no labels",
    ],
)
def test_arrays_that_are_not_the_full_set_are_refused(arrays, home, write):
    train, _ = arrays
    images = train[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    np.savez(home / "data" / "train.npz", **write(np.ascontiguousarray(images), train[:, 0]))
    with pytest.raises(ConfigError, match="is damaged"):
        load_cifar10(9, 2)  # fewer than the file has, and more than ship


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_array_file_with_a_damaged_byte_is_refused_or_equal(arrays, home, save):
    """Each byte of the file in turn: a checksum, the shape or the type gives it away."""
    train, _ = arrays
    path = home / "data" / "train.npz"
    images = train[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    save(path, x=images, y=train[:, 0])
    whole, refused = path.read_bytes(), 0
    places = [*range(400), *range(400, len(whole) - 400, 997), *range(len(whole) - 400, len(whole))]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        cifar10._full.cache_clear()
        try:
            assert records_of(load_cifar10(20, 2).train) == train.tobytes()
        except ConfigError:
            refused += 1
    assert refused > len(places) / 2


def test_pickled_arrays_are_not_opened(arrays, home, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    np.savez(home / "data" / "train.npz", x=np.array([Touch()], dtype=object), y=np.zeros(1))
    with pytest.raises(ConfigError, match="is damaged"):
        load_cifar10(20, 2)
    pickle.dumps(Touch())
    assert not (tmp_path / "opened").exists()


@pytest.fixture
def fixed_server(monkeypatch):
    """Run a local server that gives the same answer to every request."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening = socket.create_server(("127.0.0.1", 0))
    answer = []

    def serve():
        while answer:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.recv(10_000)
            connection.sendall(answer[0])
            connection.close()

    def start(content):
        answer.append(content)
        monkeypatch.setattr(
            CIFAR10, "url", f"http://127.0.0.1:{listening.getsockname()[1]}/cifar.tar.gz"
        )
        threading.Thread(target=serve, daemon=True).start()

    yield start
    listening.close()


INVALID_RESPONSES = [
    b"this is no HTTP\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
]


@pytest.mark.parametrize("answer", INVALID_RESPONSES, ids=["not HTTP", "truncated"])
def test_invalid_http_response_is_reported(fixed_server, answer):
    fixed_server(answer)
    with pytest.raises(ConfigError, match="The download of CIFAR-10 failed"):
        download_full_set()


@pytest.mark.parametrize("name", ["train.png", "train.txt"])
@pytest.mark.parametrize("content", [None, b"", b"cut off"], ids=["missing", "empty", "damaged"])
def test_sheet_that_is_missing_or_damaged_is_named(tmp_path, monkeypatch, name, content):
    sheets = shutil.copytree(cifar10.SHEETS, tmp_path / "sheets")
    if content is None:
        (sheets / name).unlink()
    else:
        (sheets / name).write_bytes(content)
    monkeypatch.setattr(cifar10, "SHEETS", sheets)
    cifar10._sample.cache_clear()
    with pytest.raises(ConfigError) as caught:
        load_cifar10(10, 10)
    assert "vitdemo/data/sheets/train.png" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    cifar10._sample.cache_clear()
