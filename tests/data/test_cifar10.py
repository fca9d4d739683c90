import hashlib
import http.server
import io
import pickle
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

# SHA-256 over the first records (label byte, then red, green and blue planes) of the official binary files.
DIGESTS = {
    "train": "25c919756e77f926c2ce5d52f3af2a33de8d75ff7868e4fcd0fa499745217b8d",
    "test": "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5",
}


@pytest.fixture
def fresh():
    """Nothing in memory, before and after: the images read in this test are not those of the project."""
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
    """Records as in the official binary files."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, (count, 1), dtype=np.uint8)
    return np.concatenate(
        [labels, rng.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)], axis=1
    )


# The sample that ships


def test_the_sample_is_the_official_data_to_the_byte():
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


def test_the_first_images_show_what_cifar10_is_known_for():
    sample = load_cifar10(5000, 1000)
    first = [CLASSES[label] for label in sample.validation.labels[:5]]
    assert first == ["cat", "ship", "ship", "airplane", "frog"]
    assert sample.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert torch.bincount(sample.train.labels).tolist() == [
        505,
        460,
        519,
        486,
        519,
        488,
        519,
        486,
        520,
        498,
    ]
    assert torch.bincount(sample.validation.labels).tolist() == [
        103,
        89,
        100,
        103,
        90,
        86,
        112,
        102,
        106,
        109,
    ]


def test_the_default_is_the_listing():
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
def test_what_is_no_count_of_images_is_refused(name, count):
    with pytest.raises(ConfigError, match=f"^{name} must be a whole number from 1 to"):
        load_cifar10(**{name: count})


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((50_001, 1), "CIFAR-10 has 50,000 train images, not the 50,001 asked for"),
        ((1, 10_001), "CIFAR-10 has 10,000 test images, not the 10,001 asked for"),
        ((49_999, 2, "train"), "CIFAR-10 has 50,000 train images, not the 50,001 asked for"),
        ((5_001, 1), "5,001 train images are asked for and 5,000 ship with the project"),
        ((1, 1_001), "1,001 test images are asked for and 1,000 ship with the project"),
        ((4_999, 2, "train"), "5,001 train images are asked for and 5,000 ship with the project"),
    ],
)
def test_more_images_than_there_are(counts, message):
    with pytest.raises(ConfigError) as caught:
        load_cifar10(*counts)
    assert str(caught.value).startswith(message)


def test_an_unknown_source_of_validation_images():
    with pytest.raises(ConfigError, match="validation_from must be test or train, not 'both'"):
        load_cifar10(1, 1, validation_from="both")


def test_a_split_is_cut_by_slice_and_by_index():
    split = Split(torch.arange(5 * 3 * 4).reshape(5, 3, 2, 2), torch.arange(5))
    assert split[1:3].labels.tolist() == [1, 2]
    assert split[torch.tensor([4, 0])].images[:, 0, 0, 0].tolist() == [48, 0]


# The script that makes the sheets


def test_sheets_are_read_as_the_records_they_are_made_of(fresh, tmp_path, monkeypatch):
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


def test_a_file_with_another_digest_is_refused(tmp_path, monkeypatch):
    (tmp_path / "data_batch_1.bin").write_bytes(random_records(100).tobytes())
    made = tmp_path / "sheets"
    made.mkdir()
    monkeypatch.setattr(make_sheets, "HERE", made)
    with pytest.raises(
        SystemExit, match=r"data_batch_1.bin has the SHA-1 .*, the official file aadd24ac"
    ):
        make_sheets.main(tmp_path)
    assert list(made.iterdir()) == []


# On the way out


def test_normalized_values():
    pixels = torch.tensor([0, 51, 102, 255], dtype=torch.uint8)
    torch.testing.assert_close(normalize(pixels), torch.tensor([-1.0, -0.6, -0.2, 1.0]))
    assert normalize(pixels).dtype == torch.float32


# The full set, through torchvision's own download

TRAIN_PARTS, PART_IMAGES, TEST_IMAGES = 5, 4, 6


def small_full_set():
    """The members of an archive laid out as the official one, and the records in them."""
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
    """A web server on this machine; it serves what is put into its `files`."""

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
    """A CIFAR-10 of 20 and 6 images on that server, of which 8 and 2 count as shipped; the records in it."""
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


def test_the_full_set_is_used_where_the_sample_is_not_enough(full_set):
    train, test = full_set
    with pytest.raises(ConfigError, match="fetch the full CIFAR-10 first"):
        load_cifar10(20, 6)
    download_full_set()
    loaded = load_cifar10(20, 6)
    assert records_of(loaded.train) == train.tobytes()
    assert records_of(loaded.validation) == test.tobytes()
    assert (loaded.train.images.dtype, loaded.train.labels.dtype) == (torch.uint8, torch.int64)
    held_out = load_cifar10(15, 5, validation_from="train")
    assert records_of(held_out.validation) == train[15:].tobytes()


def test_the_full_set_is_fetched_once(full_set, server):
    download_full_set()
    server.files.clear()
    download_full_set()
    assert len(load_cifar10(20, 1).train) == 20


def test_a_file_that_is_not_there(full_set, server):
    server.files.clear()
    with pytest.raises(ConfigError, match="Not Found") as caught:
        download_full_set()
    assert "The 8 training images that ship with the project work without it." in str(caught.value)
    assert len(load_cifar10(8, 2).train) == 8


def test_a_connection_that_is_refused(full_set, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{port}/cifar.tar.gz")
    with pytest.raises(ConfigError, match="check the network connection") as caught:
        download_full_set()
    assert "The 8 training images that ship with the project work without it." in str(caught.value)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda content: content[:50] + b"x" + content[51:]]
)
def test_an_archive_that_arrives_damaged_is_refused_and_fetched_anew(full_set, server, damage):
    whole = server.files["/cifar.tar.gz"]
    server.files["/cifar.tar.gz"] = damage(whole)
    with pytest.raises(ConfigError, match="could not be fetched"):
        download_full_set()
    server.files["/cifar.tar.gz"] = whole
    download_full_set()
    assert len(load_cifar10(20, 6).train) == 20


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_file_damaged_on_disk_is_refused(full_set, home, name):
    download_full_set()
    (home / "data" / "cifar-10-batches-py" / name).write_bytes(b"not what it was")
    with pytest.raises(ConfigError, match="is damaged: delete that folder and fetch it again"):
        load_cifar10(20, 6)


def test_a_pickle_put_in_the_place_of_a_file_is_not_opened(full_set, home, tmp_path):
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
    """A CIFAR-10 of 20 and 6 images as arrays on disk, of which 8 and 2 count as shipped; the records in it."""
    train, test = random_records(20, seed=2), random_records(6, seed=3)
    for part, records in (("train", train), ("test", test)):
        write_arrays(home / "data", part, records)
    monkeypatch.setattr(cifar10, "SAMPLE", {"train": 8, "test": 2})
    monkeypatch.setattr(cifar10, "FULL", {"train": len(train), "test": len(test)})
    return train, test


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_the_full_set_may_be_arrays(arrays, home, kind):
    train, test = arrays
    write_arrays(home / "data", "train", train, kind)
    loaded = load_cifar10(20, 6)
    assert records_of(loaded.train) == train.tobytes()
    assert records_of(loaded.validation) == test.tobytes()
    assert (loaded.train.images.dtype, loaded.train.labels.dtype) == (torch.uint8, torch.int64)


def test_nothing_is_fetched_where_the_arrays_are(arrays, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:1/cifar.tar.gz")
    download_full_set()
    assert len(load_cifar10(20, 6).train) == 20


def test_one_of_the_arrays_is_not_enough(arrays, home):
    (home / "data" / "test.npz").unlink()
    with pytest.raises(ConfigError, match="fetch the full CIFAR-10 first"):
        load_cifar10(20, 2)


@pytest.mark.parametrize(
    "damage", [b"", b"not an array", b"PK\x03\x04 cut off"], ids=["empty", "text", "cut off"]
)
def test_a_damaged_file_of_arrays_is_refused(arrays, home, damage):
    (home / "data" / "train.npz").write_bytes(damage)
    with pytest.raises(ConfigError, match="is damaged: delete that folder and fetch it again"):
        load_cifar10(20, 2)


def test_arrays_that_are_pickles_are_not_opened(arrays, home, tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "opened"), "w"))

    np.savez(home / "data" / "train.npz", x=np.array([Touch()], dtype=object), y=np.zeros(1))
    with pytest.raises(ConfigError, match="is damaged"):
        load_cifar10(20, 2)
    pickle.dumps(Touch())
    assert not (tmp_path / "opened").exists()


@pytest.fixture
def talker(monkeypatch):
    """A server that gives one answer, whatever it is asked."""
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


NONSENSE = [
    b"this is no HTTP\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
]


@pytest.mark.parametrize("answer", NONSENSE, ids=["no HTTP", "cut off"])
def test_an_answer_that_breaks_the_protocol(talker, answer):
    talker(answer)
    with pytest.raises(ConfigError, match="could not be fetched"):
        download_full_set()
