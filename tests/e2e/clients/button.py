"""A GUI of Taurus with one button that executes a command: button.py URL COMMAND GATE. Says "up" when it is shown, waits for a
line from the gate, and is clicked once; ends when the command is done."""
import sys

from taurus.external.qt import Qt
from taurus.qt.qtgui.application import TaurusApplication
from taurus.qt.qtgui.button import TaurusCommandButton

app = TaurusApplication([sys.argv[0]], cmd_line_parser=None)
button = TaurusCommandButton(command=sys.argv[2])
button.setModel(sys.argv[1])
button.commandExecuted.connect(lambda result: app.quit())
button.show()


def click():
    print("up", flush=True)
    with open(sys.argv[3]) as gate:
        gate.readline()
    button.click()


Qt.QTimer.singleShot(0, click)
sys.exit(app.exec_())
