from hist import Hist
h = Hist.new.Reg(10, 0, 1).Double()
