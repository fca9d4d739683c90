"""A visitor opens a model of timm in the browser and sees what it attends to."""

import re

from playwright.sync_api import expect
from safetensors.torch import save_file
from timm_models import timm_model

expect.set_options(timeout=30_000)


def test_a_model_of_timm_is_opened(server, page, chart, tmp_path):
    file = tmp_path / "my_vit.safetensors"
    save_file(timm_model(embed_dim=192, depth=3).state_dict(), file)
    page.goto(f"{server.url}/attention")
    chart(page, "Attention of CLS over the patches").wait_for()
    page.get_by_role("button", name="Your own model").click()
    page.get_by_test_id("stPopoverBody").locator("input[type=file]").set_input_files(file)
    open_model = page.get_by_role("button", name="Open model")
    expect(page.get_by_text("3 blocks, 192 numbers per token")).to_be_visible()
    open_model.click()
    expect(page).to_have_url(re.compile(r"run=own-[0-9a-f]{20}"))
    expect(open_model).to_have_count(0)  # the fields are gone, and the popover is closed
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    page.reload()  # the URL finds it again
    page.get_by_role("button", name="About").click()
    expect(page.get_by_text("3 blocks of 3 heads, 192 numbers per token")).to_be_visible()
