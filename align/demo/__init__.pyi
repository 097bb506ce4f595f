from .turntable import TurntableOptions as TurntableOptions
from .turntable import render_turntable as render_turntable
