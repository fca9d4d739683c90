"""The attacks that are sent to the server itself: at least 300 different ones."""

from tests.attack import test_query_strings as query_strings
from tests.attack import test_requests as requests
from tests.attack.bad_models import models
from tests.attack.bad_pictures import pictures
from tests.attack.bad_values import OTHER_KINDS, VALUES, clicks_of_nothing


def test_there_are_enough_attacks(tmp_path):
    strings = len(query_strings.PAGES) * len(query_strings.VALUES)
    strings += 3 * len(query_strings.MALFORMED) + 2 * len(query_strings.IDS)
    files = len(dict(pictures())) + len(dict(models(tmp_path)))
    values = sum(map(len, VALUES.values())) + len(OTHER_KINDS) + len(clicks_of_nothing())
    sent = 2 * len(requests.PATHS) + len(requests.BODIES) + len(requests.RAW)
    print(f"{strings} query strings, {files} files, {values} values, {sent} requests")
    assert strings >= 100
    assert files >= 100
    assert strings + files + values + sent >= 300
