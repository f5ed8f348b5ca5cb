"""What the stand-in shop sells: a dozen products with prices in hundredths, as VTEX writes them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Product:
    """A product with one SKU. `hundredths` is its price in BRL; `price_in` scales it for other currencies."""

    id: str
    sku: str
    slug: str
    name: str
    brand: str
    category: str
    hundredths: int
    hue: int
    seller: str = "1"

    def price_in(self, currency: str) -> int:
        """Return the price in hundredths; whole units where the currency has no smaller ones."""
        price = self.hundredths * _SCALE.get(currency, 1)
        return price - price % 100 if currency in WHOLE else price


_SCALE: Final = {"CLP": 170, "COP": 720, "MXN": 3}
WHOLE: Final = frozenset(("CLP", "COP"))

PRODUCTS: Final = (
    Product("101", "1011", "tenis-corrida", "Tênis de corrida", "Passo", "Calçados", 34990, 12),
    Product("102", "1021", "sandalia-couro", "Sandália de couro", "Passo", "Calçados", 18990, 28),
    Product("103", "1031", "camiseta-algodao", "Camiseta de algodão", "Fio", "Roupas", 7990, 200),
    Product("104", "1041", "jaqueta-leve", "Jaqueta leve", "Fio", "Roupas", 25990, 215),
    Product("105", "1051", "calca-linho", "Calça de linho", "Fio", "Roupas", 21990, 45),
    Product("106", "1061", "mochila-urbana", "Mochila urbana", "Rota", "Acessórios", 29990, 160),
    Product("107", "1071", "garrafa-termica", "Garrafa térmica", "Rota", "Acessórios", 11990, 180),
    Product("108", "1081", "relogio-solar", "Relógio solar", "Hora", "Acessórios", 89990, 260, "lojahora"),
    Product("109", "1091", "fone-sem-fio", "Fone sem fio", "Som", "Eletrônicos", 45990, 290, "lojasom"),
    Product("110", "1101", "caixa-de-som", "Caixa de som", "Som", "Eletrônicos", 39990, 310, "lojasom"),
    Product("111", "1111", "oculos-de-sol", "Óculos de sol", "Hora", "Acessórios", 27990, 340, "lojahora"),
    Product("112", "1121", "cinto-trancado", "Cinto trançado", "Passo", "Acessórios", 9990, 80),
)

BY_SLUG: Final = {product.slug: product for product in PRODUCTS}
