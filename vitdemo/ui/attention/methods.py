"""Title, unit, description, formula and source of each attribution method."""

TITLES = {
    "attention": "Attention of one layer",
    "rollout": "Attention rollout",
    "relevance": "Gradient-weighted relevance",
    "occlusion": "Occlusion",
}
UNITS = {
    "attention": "attention",
    "rollout": "rollout",
    "relevance": "relevance",
    "occlusion": "drop in probability",
}
DESCRIPTIONS = {
    "attention": "How much attention each patch receives in one layer from the token that the "
    "class is predicted from. Bright: most. This is fast, but it ignores all other layers and is "
    "the same for every class.",
    "rollout": "How much of each patch would reach the token that the class is predicted from if "
    "every block only passed tokens on: half kept (the residual connection), half gathered by "
    "attention. Values and MLPs are ignored. Bright: most. The map is the same for every class.",
    "relevance": "Attention through all layers, weighted by its gradient: only attention that "
    "would raise the class's logit (its score before the softmax) counts. Bright patches are "
    "evidence for the class according to this method; *Faithfulness* puts it to the test.",
    "occlusion": "How much the class's probability drops when a patch is replaced with the "
    "picture's mean color. This uses only predictions, no attention. Orange: evidence for the "
    "class, as far as this test shows. Purple: evidence against it.",
}
FORMULAS = {
    "attention": (
        r"A^{(l)}_h = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right)",
        "A. Vaswani et al., *Attention Is All You Need*, 2017, equation 1; the paper, section "
        "1.3.3. Without a chosen head, the mean over all heads $h$.",
    ),
    "rollout": (
        r"\tilde A^{(l)} = \mathrm{rows}\!\left(\bar A^{(l)} + I\right), \qquad "
        r"R = \tilde A^{(L)} \cdots \tilde A^{(2)} \tilde A^{(1)}",
        "S. Abnar and W. Zuidema, *Quantifying Attention Flow in Transformers*, 2020, section 3. "
        "$\\bar A$ is the mean of the heads (or their maximum or minimum); $\\mathrm{rows}$ "
        "divides each row by its sum. Discarding the smallest entries is an addition to that "
        "method.",
    ),
    "relevance": (
        r"\bar A^{(l)} = \frac1H \sum_h \left(\nabla A^{(l)}_h \odot A^{(l)}_h\right)^{+}, \qquad "
        r"R \leftarrow R + \bar A^{(l)} R",
        "H. Chefer, S. Gur and L. Wolf, *Generic Attention-model Explainability*, 2021, rules 5 "
        "and 6. $\\nabla A$ is the gradient of the class's logit, $^{+}$ sets negative products to "
        "0, and $R$ starts as the identity.",
    ),
    "occlusion": (
        r"\Delta_p = P(c \mid x) - P(c \mid x \text{ with patch } p \text{ occluded})",
        "M. Zeiler and R. Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, "
        "section 4.2.",
    ),
}
