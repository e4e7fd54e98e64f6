"""Sphinx extension: alternative text for the pictures that notebooks store as outputs.

IPython.display.Image(alt=...) keeps the text in the output's metadata, where Jupyter and Colab
read it; myst-nb 1.4 takes only width and height from there.
"""
from myst_nb.core.render import NbElementRenderer


def setup(app):
    render_image = NbElementRenderer.render_image

    def render_image_with_alt(self, data):
        images = render_image(self, data)
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        for image in images:
            if alt:
                image["alt"] = alt
        return images

    NbElementRenderer.render_image = render_image_with_alt
    return {"parallel_read_safe": True, "version": "1"}
