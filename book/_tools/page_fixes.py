"""Sphinx extension: three repairs of what Jupyter Book 1 makes of a page."""

from pathlib import Path

from myst_nb.core.render import NbElementRenderer
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform


def give_outputs_their_alt():
    """IPython.display.Image(alt=...) keeps the text in the output's metadata, where Jupyter and
    Colab read it; myst-nb 1.4 takes only width and height from there."""
    render_image = NbElementRenderer.render_image

    def render_image_with_alt(self, data):
        images = render_image(self, data)
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        for image in images:
            if alt:
                image["alt"] = alt
        return images

    NbElementRenderer.render_image = render_image_with_alt


def drop_thebe(app, pagename, templatename, context, doctree):
    """Thebe runs code on an outside server. The book does not use it, but its script is put into
    every page, twice, so that the browser reports an error."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in str(script) + str(getattr(script, "attributes", ""))
    ]


class LinksToPagesLeftOut(SphinxPostTransform):
    """A page that is there, but not in _toc.yml, can't be linked to: of a link its text stays."""

    default_priority = 5  # before MyST resolves the links, and complains

    def run(self):
        for link in list(self.document.findall(pending_xref)):
            page, pages = link["reftarget"], self.env.all_docs
            files = [Path(self.env.srcdir) / (page + end) for end in (".ipynb", ".md")]
            if link["refdomain"] == "doc" and page not in pages and any(x.exists() for x in files):
                link.replace_self(link.children)


def setup(app):
    give_outputs_their_alt()
    app.add_post_transform(LinksToPagesLeftOut)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
