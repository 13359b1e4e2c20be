import begin

board = begin.board("rp2")

import main

main.run(board)
