import begin

board = begin.board("esp32")

import main

main.run(board)
