"""Pictures to be changed: OpenAI's form, as its client writes it, said in the inputs of Replicate's models."""

import json
from base64 import b64encode

import pytest

from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.edits import Editing
from apps.routing.edge.dialects.openai.forms import FormFormat
from apps.routing.edge.dialects.openai.plain import by_pictures
from apps.routing.edge.dialects.speech import CannotExpress
from brokle.edge.http import Request
from brokle.kernel.errors import BadRequest

KONTEXT = "black-forest-labs/flux-kontext-max"
FILL = "black-forest-labs/flux-fill-pro"
BANANA = "google/nano-banana"


def png(colors, *chunks):
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08" + bytes([colors]) + b"\0\0\0crc."
    return head + b"".join(chunks) + b"\0\0\0\1IDATxcrc."


OPAQUE, SEE_THROUGH = png(2), png(6)
JPEG, WEBP, GIF = b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBPVP8 ", b"GIF89a"


def said(kind, data):
    return f"data:{kind};base64,{b64encode(data).decode()}"


async def nowhere(_message):
    raise AssertionError("nothing is answered yet")


def multipart(fields, files):
    """As RFC 7578 has it."""
    parts = [f'name="{name}"\r\n\r\n{text}'.encode() for name, text in fields.items()]
    for name, (filename, data, *kind) in files:
        about = "".join(f"\r\nContent-Type: {one}" for one in kind)
        parts.append(f'name="{name}"; filename="{filename}"{about}\r\n\r\n'.encode() + data)
    return b"".join(b"--x\r\nContent-Disposition: form-data; %b\r\n" % part for part in parts) + b"--x--\r\n"


async def form(body, size=100):
    """As it arrives, piece by piece."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = iter(
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    )

    async def receive():
        return next(messages)

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/v1/images/edits", "query_string": b"", "headers": headers}
    spoken = FormFormat("images.edits", by_pictures)
    ask = await spoken.ask_of(Request(scope, receive, nowhere))
    await spoken.hold(ask)
    return ask.light


async def edited(model=KONTEXT, *, files=(), drops=False, **fields):
    files = files or [("image", ("a.png", OPAQUE, "image/png"))]
    data = {"model": "any", "prompt": "at night", **fields}
    held = await form(multipart(data, files))
    editing = Editing(dialect_of("replicate").painter(), held)
    return json.loads(editing.write(b"", model, "Replicate", drops_unsupported=drops))["input"]


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (KONTEXT, {"input_image": said("image/png", OPAQUE)}),
        (FILL, {"image": said("image/png", OPAQUE)}),
        (BANANA, {"image_input": [said("image/png", OPAQUE)]}),
        ("black-forest-labs/flux-2-pro", {"input_images": [said("image/png", OPAQUE)]}),
        ("openai/gpt-image-1", {"input_images": [said("image/png", OPAQUE)]}),
        ("bytedance/seedream-4", {"image_input": [said("image/png", OPAQUE)]}),
        ("qwen/qwen-image-edit", {"image": said("image/png", OPAQUE)}),
        ("qwen/qwen-image-edit-plus", {"image": [said("image/png", OPAQUE)]}),
        ("acme/any", {"image": said("image/png", OPAQUE)}),
    ],
)
async def test_the_picture_is_called_what_the_models_maker_calls_it(model, inputs):
    assert await edited(model) == {"prompt": "at night", **inputs}


async def test_several_pictures_and_a_mask_go_where_a_model_takes_them():
    files = [("image[]", ("a.png", OPAQUE)), ("image[]", ("b.jpg", JPEG))]
    assert (await edited(BANANA, files=files))["image_input"] == [said("image/png", OPAQUE), said("image/jpeg", JPEG)]
    files = [("image", ("a.png", OPAQUE)), ("mask", ("m.png", png(0)))]
    assert (await edited(FILL, files=files))["mask"] == said("image/png", png(0))


@pytest.mark.parametrize(
    ("data", "kind"), [(JPEG, "image/jpeg"), (WEBP, "image/webp"), (GIF, "image/gif"), (SEE_THROUGH, "image/png")]
)
async def test_what_a_picture_is_stands_in_its_first_bytes(data, kind):
    files = [("image", ("upload", data, "application/octet-stream"))]
    assert (await edited(files=files))["input_image"] == said(kind, data)


async def test_a_kind_nobody_knows_is_believed():
    files = [("image", ("a.avif", b"\0\0\0\x1cftypavif", "image/avif"))]
    assert (await edited(files=files))["input_image"].startswith("data:image/avif;base64,")


async def test_wishes_are_said_as_for_new_pictures_and_the_models_own_inputs_outright():
    assert await edited(n="2", size="1024x1536", output_format="jpeg", user="u1") == {
        "prompt": "at night",
        "num_outputs": 2,
        "aspect_ratio": "2:3",
        "output_format": "jpg",
        "input_image": said("image/png", OPAQUE),
    }
    members = {"input[seed]": "7", "input[go_fast]": "true", "input[style]": "oil"}
    told = await edited(**members)
    assert (told["seed"], told["go_fast"], told["style"]) == (7, True, "oil")
    odd = {"input[a]": "007", "input[b]": "-0.5", "input[c]": "\u0667", "input[d]": "9" * 5000, "input[e]": "null"}
    told = await edited(**odd)
    assert [told[name] for name in "abcde"] == ["007", -0.5, "\u0667", "9" * 5000, None]
    assert (await edited(input='{"seed": 8, "input_image": "https://x/a.png"}'))["input_image"] == "https://x/a.png"


PICTURE = ("image", ("a.png", OPAQUE))


@pytest.mark.parametrize(
    ("model", "files", "fields", "field"),
    [
        (KONTEXT, [PICTURE, ("mask", ("m.png", OPAQUE))], {}, "mask"),
        (FILL, [PICTURE, ("mask", ("m.png", SEE_THROUGH))], {}, "mask"),
        (FILL, [PICTURE, ("mask", ("m.png", png(4)))], {}, "mask"),
        (FILL, [PICTURE, ("mask", ("m.png", png(3, b"\0\0\0\1tRNS\0crc.")))], {}, "mask"),
        (FILL, [PICTURE, PICTURE], {}, "image"),
        (FILL, [PICTURE], {"input_fidelity": "high"}, "input_fidelity"),
        (FILL, [PICTURE], {"response_format": "b64_json"}, "response_format"),
    ],
)
async def test_what_a_model_has_no_way_to_be_told_is_refused_by_name_or_left_out(model, files, fields, field):
    with pytest.raises(CannotExpress) as caught:
        await edited(model, files=files, **fields)
    assert caught.value.field == field
    told = {"prompt": "at night", "input_image" if model == KONTEXT else "image": said("image/png", OPAQUE)}
    assert await edited(model, files=files, drops=True, **fields) == told
    assert await edited(model, files=files, drop_unsupported="true", **fields) == told


@pytest.mark.parametrize(
    ("files", "fields", "field"),
    [
        ([("mask", ("m.png", OPAQUE))], {}, "image"),
        ([("image", ("a.txt", b"a mosque", "text/plain"))], {}, "image"),
        ([("image", ("a.png", b"", "image/png"))], {}, "image"),
        ([PICTURE, ("mask", ("m.txt", b"a mosque"))], {}, "mask"),
        ([("unused", ("a.png", OPAQUE))], {"image": "https://x/a.png"}, "image"),
        ([PICTURE], {"size": "large"}, "size"),
        ([PICTURE], {"size": "00x10"}, "size"),
        ([PICTURE], {"n": "9" * 5000}, None),
        ([PICTURE], {"n": "two"}, None),
        ([PICTURE], {"input": "{broken"}, "input"),
        ([PICTURE], {"input": "text"}, "input"),
    ],
)
async def test_a_form_that_is_wrong_is_told_where(files, fields, field):
    with pytest.raises(BadRequest) as caught:
        await edited(files=files, **fields)
    assert caught.value.field == field


async def test_a_form_that_breaks_off_is_refused():
    head = b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nany\r\n--x\r\n'
    held = await form(head + b'content-disposition: form-data; name="prompt"\r\n\r\nat ni')
    with pytest.raises(BadRequest, match="breaks off"):
        list(held.parts())


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_form_is_the_same_in_whatever_pieces_it_comes(size):
    held = await form(multipart({"model": "any", "prompt": "سلام"}, [("image", ("a.png", OPAQUE, "image/png"))]), size)
    assert [(part.name, part.kind, part.content, part.is_file) for part in held.parts()] == [
        ("model", "", b"any", False),
        ("prompt", "", "سلام".encode(), False),
        ("image", "image/png", OPAQUE, True),
    ]
