"""PyTorch twins of lib/networks: the same descriptions, the same parameter names, the same arithmetic."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def divisor(n, most):
    return next(d for d in range(min(most, n), 0, -1) if n % d == 0)


def conv(dims, *args, **kwargs):
    return (nn.Conv2d if dims == 2 else nn.Conv3d)(*args, **kwargs)


def activation(kind):
    return {"relu": F.relu, "leaky-relu": lambda x: F.leaky_relu(x, 0.1), "silu": F.silu, "gelu": F.gelu}[kind]


class Norm(nn.Module):
    """Group, batch or no norm, and a scale and a shift per sample on top."""

    def __init__(self, channels, kind, dims=2):
        super().__init__()
        self.kind = kind
        if kind == "none":
            return
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.groups = divisor(channels, 32)
        if kind == "batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x, scale_shift=None):
        y = x
        if self.kind == "batch":
            y = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, 0.1)
        elif self.kind == "group":
            y = F.group_norm(x, self.groups, self.weight, self.bias)
        if scale_shift is None:
            return y
        scale, shift = (t.reshape(*t.shape, *[1] * (x.dim() - 2)) for t in scale_shift.chunk(2, 1))
        return y * (1 + scale) + shift


class Attention(nn.Module):
    def __init__(self, channels, heads, context=None):
        super().__init__()
        self.heads = heads
        self.norm = Norm(channels, "group")
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(context or channels, channels)
        self.value = nn.Linear(context or channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x, context=None):
        n, c, *size = x.shape
        own = self.norm(x).flatten(2).transpose(1, 2)
        source = own if context is None else context
        split = lambda t: t.reshape(n, t.shape[1], self.heads, c // self.heads).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(split(self.query(own)), split(self.key(source)), split(self.value(source)))
        mixed = self.out(mixed.transpose(1, 2).reshape(n, -1, c))
        return x + mixed.transpose(1, 2).reshape(n, c, *size)


class Residual(nn.Module):
    def __init__(self, inputs, width, d, embedding):
        super().__init__()
        dims = d.get("dimensions", 2)
        norm = d.get("norm", "group")
        self.act = activation(d.get("activation", "silu"))
        self.norm1 = Norm(inputs, norm)
        self.conv1 = conv(dims, inputs, width, 3, padding=1)
        self.norm2 = Norm(width, norm)
        self.conv2 = conv(dims, width, width, 3, padding=1)
        self.embedding = nn.Linear(embedding, 2 * width) if embedding else None
        self.skip = conv(dims, inputs, width, 1) if inputs != width else None

    def forward(self, x, e):
        h = self.conv1(self.act(self.norm1(x)))
        h = self.conv2(self.act(self.norm2(h, self.embedding(e) if self.embedding else None)))
        return h + (self.skip(x) if self.skip else x)


class Double(nn.Module):
    def __init__(self, inputs, width, d, _embedding):
        super().__init__()
        dims = d.get("dimensions", 2)
        norm = d.get("norm", "batch")
        self.act = activation(d.get("activation", "relu"))
        self.conv1 = conv(dims, inputs, width, 3, padding=1, bias=norm == "none")
        self.norm1 = Norm(width, norm)
        self.conv2 = conv(dims, width, width, 3, padding=1, bias=norm == "none")
        self.norm2 = Norm(width, norm)

    def forward(self, x, _e):
        return self.act(self.norm2(self.conv2(self.act(self.norm1(self.conv1(x))))))


class UNet(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.d = d
        channels, blocks = d["channels"], d.get("blocks", 2)
        dims, heads, self.attention = d.get("dimensions", 2), d.get("heads", 4), d.get("attention", [])
        self.residual = d.get("block", "residual") == "residual"
        Block = Residual if self.residual else Double
        width = 4 * channels[0]
        self.embedding = nn.Module()
        if d.get("time"):
            self.embedding.time = nn.Linear(channels[0], width)
        if d.get("classes"):
            self.embedding.classes = nn.Embedding(d["classes"] + 1, width)
        if d.get("values"):
            self.embedding.values = nn.Linear(d["values"], width)
        embeds = bool(d.get("time") or d.get("classes") or d.get("values"))
        if embeds:
            self.embedding.out = nn.Linear(width, width)
        e = width if embeds else None

        def block(inputs, out, level):
            b = Block(inputs, out, d, e)
            if level in self.attention:
                b.attention = Attention(out, heads)
                if d.get("context"):
                    b.cross = Attention(out, heads, d["context"])
            return b

        def level_of(blocks, **extra):
            m = nn.Module()
            for i, b in enumerate(blocks):
                m.add_module(str(i), b)
            for name, b in extra.items():
                m.add_module(name, b)
            return m

        c = d["inChannels"] * d.get("unshuffle", 1) ** dims
        if self.residual:
            self.first = conv(dims, c, channels[0], 3, padding=1)
            c = channels[0]
        self.down, skips, last = nn.Module(), [], len(channels) - 1
        for i, w in enumerate(channels):
            list_ = []
            for _ in range(blocks):
                list_.append(block(c, w, i))
                c = w
                if self.residual:
                    skips.append(c)
            if not self.residual:
                skips.append(c)
            extra = {"down": conv(dims, w, w, 3, padding=1, stride=2)} if self.residual and i < last else {}
            self.down.add_module(str(i), level_of(list_, **extra))
        if self.residual:
            self.middle = level_of([block(c, c, last), Block(c, c, d, e)])
        else:
            skips.pop()
        self.up = nn.Module()
        for i in range(last, -1, -1):
            w = channels[i]
            if not self.residual:
                if i == last:
                    continue
                up = conv(dims, c, w, 3, padding=1)
                c = w + skips.pop()
                list_ = []
                for _ in range(blocks):
                    list_.append(block(c, w, i))
                    c = w
                self.up.add_module(str(i), level_of(list_, up=up))
                continue
            list_ = []
            for _ in range(blocks):
                list_.append(block(c + skips.pop(), w, i))
                c = w
            extra = {"up": conv(dims, w, channels[i - 1], 3, padding=1)} if i > 0 else {}
            if i > 0:
                c = channels[i - 1]
            self.up.add_module(str(i), level_of(list_, **extra))
        if self.residual:
            self.norm = Norm(c, d.get("norm", "group"))
        out = d["outChannels"] * d.get("unshuffle", 1) ** dims
        self.last = conv(dims, c, out, 3 if self.residual else 1, padding=1 if self.residual else 0)
        self.act = activation(d.get("activation", "silu" if self.residual else "relu"))

    def embed(self, inputs):
        d, parts = self.d, []
        if d.get("time"):
            half = d["channels"][0] // 2
            f = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(10000) / half)).float()
            phase = inputs["t"].reshape(-1, 1) * f
            parts.append(self.embedding.time(torch.cat([phase.cos(), phase.sin()], 1)))
        if d.get("classes"):
            parts.append(self.embedding.classes(inputs["class"]))
        if d.get("values"):
            parts.append(self.embedding.values(inputs["values"]))
        return F.silu(self.embedding.out(F.silu(sum(parts)))) if parts else None

    def run(self, block, h, e, context):
        h = block(h, e)
        if hasattr(block, "attention"):
            h = block.attention(h)
        if hasattr(block, "cross"):
            h = block.cross(h, context)
        return h

    def forward(self, inputs):
        d, image = self.d, inputs["x"]
        r = d.get("unshuffle", 1)
        x = F.pixel_unshuffle(image, r) if r > 1 else image
        e, context = self.embed(inputs), inputs.get("context")
        channels, blocks = d["channels"], d.get("blocks", 2)
        last, skips = len(channels) - 1, []
        h = self.first(x) if self.residual else x
        for i in range(len(channels)):
            level = self.down.get_submodule(str(i))
            for j in range(blocks):
                h = self.run(level.get_submodule(str(j)), h, e, context)
                if self.residual:
                    skips.append(h)
            if not self.residual:
                skips.append(h)
            if i < last:
                h = level.down(h) if self.residual else (F.max_pool2d if x.dim() == 4 else F.max_pool3d)(h, 2)
        if self.residual:
            h = self.run(self.middle.get_submodule("0"), h, e, context)
            h = self.middle.get_submodule("1")(h, e)
        else:
            skips.pop()
        for i in range(last, -1, -1):
            if not self.residual and i == last:
                continue
            level = self.up.get_submodule(str(i))
            if not self.residual:
                h = torch.cat([skips.pop(), level.up(F.interpolate(h, scale_factor=2))], 1)
            for j in range(blocks):
                if self.residual:
                    h = torch.cat([h, skips.pop()], 1)
                h = self.run(level.get_submodule(str(j)), h, e, context)
            if self.residual and i > 0:
                h = level.up(F.interpolate(h, scale_factor=2))
        if self.residual:
            h = self.act(self.norm(h))
        y = F.pixel_shuffle(self.last(h), r) if r > 1 else self.last(h)
        return y + image[:, : d["outChannels"]] if d.get("residual") else y


class N2nUNet(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, self.levels = d.get("channels", 48), d.get("levels", 5)
        out = d.get("outChannels", d["inChannels"])
        self.enc_conv0 = nn.Conv2d(d["inChannels"], c, 3, padding=1)
        for i in range(1, self.levels + 2):
            self.add_module(f"enc_conv{i}", nn.Conv2d(c, c, 3, padding=1))
        h = c
        for i in range(self.levels, 0, -1):
            a, b = (64, 32) if i == 1 else (2 * c, 2 * c)
            self.add_module(f"dec_conv{i}a", nn.Conv2d(h + (d["inChannels"] if i == 1 else c), a, 3, padding=1))
            self.add_module(f"dec_conv{i}b", nn.Conv2d(a, b, 3, padding=1))
            h = b
        self.last = nn.Conv2d(h, out, 3, padding=1)

    def forward(self, inputs):
        x = inputs["x"]
        layer = lambda name, t: F.leaky_relu(self.get_submodule(name)(t), 0.1)
        skips, h = [x], layer("enc_conv0", x)
        for i in range(1, self.levels + 1):
            h = F.max_pool2d(layer(f"enc_conv{i}", h), 2)
            if i < self.levels:
                skips.append(h)
        h = layer(f"enc_conv{self.levels + 1}", h)
        for i in range(self.levels, 0, -1):
            h = torch.cat([F.interpolate(h, scale_factor=2), skips.pop()], 1)
            h = layer(f"dec_conv{i}b", layer(f"dec_conv{i}a", h))
        return self.last(h)


class DnCnn(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.depth, c, norm = d.get("depth", 17), d.get("channels", 64), d.get("norm", "batch")
        self.first = nn.Conv2d(d["inChannels"], c, 3, padding=1)
        for i in range(self.depth - 2):
            m = nn.Module()
            m.conv, m.norm = nn.Conv2d(c, c, 3, padding=1, bias=norm == "none"), Norm(c, norm)
            self.add_module(str(i), m)
        self.last = nn.Conv2d(c, d["inChannels"], 3, padding=1)

    def forward(self, inputs):
        x = inputs["x"]
        h = F.relu(self.first(x))
        for i in range(self.depth - 2):
            m = self.get_submodule(str(i))
            h = F.relu(m.norm(m.conv(h)))
        return x - self.last(h)


class RedCnn(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, k = d.get("channels", 96), d.get("kernel", 5)
        for i in range(1, 6):
            self.add_module(f"conv{i}", nn.Conv2d(d["inChannels"] if i == 1 else c, c, k))
            self.add_module(f"tconv{i}", nn.ConvTranspose2d(c, d["inChannels"] if i == 5 else c, k))

    def forward(self, inputs):
        x = inputs["x"]
        down = lambda i, t: F.relu(self.get_submodule(f"conv{i}")(t))
        up = lambda i, t: self.get_submodule(f"tconv{i}")(t)
        one = down(1, x)
        two = down(2, one)
        four = down(4, down(3, two))
        six = F.relu(up(1, down(5, four)) + four)
        eight = F.relu(up(3, F.relu(up(2, six))) + two)
        return F.relu(up(5, F.relu(up(4, eight))) + x)


class PRelu(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), 0.25))

    def forward(self, x):
        return F.prelu(x, self.weight.flatten())


def part(**modules):
    m = nn.Module()
    for name, module in modules.items():
        m.add_module(name, module)
    return m


class SrResNet(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, norm = d.get("channels", 64), d.get("norm", "batch")
        self.count, self.ups = d.get("blocks", 16), round(math.log2(d.get("factor", 2)))
        same = lambda: nn.Conv2d(c, c, 3, padding=1)
        self.conv1, self.act1 = nn.Conv2d(d["inChannels"], c, 9, padding=4), PRelu(c)
        block = lambda: part(conv1=same(), norm1=Norm(c, norm), act=PRelu(c), conv2=same(), norm2=Norm(c, norm))
        self.blocks = part(**{str(i): block() for i in range(self.count)})
        self.conv2, self.norm2 = same(), Norm(c, norm)
        self.up = part(**{str(i): part(conv=nn.Conv2d(c, 4 * c, 3, padding=1), act=PRelu(c)) for i in range(self.ups)})
        self.last = nn.Conv2d(c, d["inChannels"], 9, padding=4)

    def forward(self, inputs):
        first = h = self.act1(self.conv1(inputs["x"]))
        for i in range(self.count):
            b = self.blocks.get_submodule(str(i))
            h = h + b.norm2(b.conv2(b.act(b.norm1(b.conv1(h)))))
        h = first + self.norm2(self.conv2(h))
        for i in range(self.ups):
            u = self.up.get_submodule(str(i))
            h = u.act(F.pixel_shuffle(u.conv(h), 2))
        return self.last(h)


class Discriminator(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, norm = d.get("channels", 64), d.get("norm", "batch")
        self.conv0, h = nn.Conv2d(d["inChannels"], c, 3, padding=1), c
        for i, f in enumerate([1, 2, 2, 4, 4, 8, 8]):
            layer = nn.Conv2d(h, c * f, 3, padding=1, stride=2 - i % 2, bias=norm == "none")
            layer.norm = Norm(c * f, norm)
            self.add_module(f"conv{i + 1}", layer)
            h = c * f
        self.fc1, self.fc2 = nn.Linear(h, 16 * c), nn.Linear(16 * c, 1)

    def forward(self, inputs):
        h = F.leaky_relu(self.conv0(inputs["x"]), 0.2)
        for i in range(1, 8):
            layer = self.get_submodule(f"conv{i}")
            h = F.leaky_relu(layer.norm(layer(h)), 0.2)
        return self.fc2(F.leaky_relu(self.fc1(h.mean((2, 3))), 0.2))


class PatchGan(nn.Module):
    def __init__(self, d):
        super().__init__()
        c, self.layers, norm = d.get("channels", 64), d.get("layers", 3), d.get("norm", "batch")
        h = d["inChannels"]
        for i in range(self.layers + 1):
            w = c * min(2**i, 8)
            stride = 1 if i == self.layers else 2
            layer = nn.Conv2d(h, w, 4, padding=1, stride=stride, bias=i == 0 or norm == "none")
            if i > 0:
                layer.norm = Norm(w, norm)
            self.add_module(f"conv{i}", layer)
            h = w
        self.last = nn.Conv2d(h, 1, 4, padding=1)

    def forward(self, inputs):
        h = inputs["x"]
        for i in range(self.layers + 1):
            layer = self.get_submodule(f"conv{i}")
            y = layer(h)
            h = F.leaky_relu(layer.norm(y) if i > 0 else y, 0.2)
        return self.last(h)


KINDS = {
    "unet": UNet,
    "n2n-unet": N2nUNet,
    "dncnn": DnCnn,
    "redcnn": RedCnn,
    "srresnet": SrResNet,
    "discriminator": Discriminator,
    "patchgan": PatchGan,
}


def network(description):
    return KINDS[description["kind"]](description)
