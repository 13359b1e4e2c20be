import begin

board = begin.board()

from contract import check

check(board)
