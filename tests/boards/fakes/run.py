import begin

board = begin.board()

import main

main.run(board)
