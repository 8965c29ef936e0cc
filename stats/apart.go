package stats

import "math"

// Apart reports whether every value of one sample lies below every value of the other, with
// a gap between the two that is wider than either of them. What is censored has no end, so
// that nothing is apart from it.
//
// If nothing differs this is rarer than what ranks alone tell: LeastApart says how rare.
func Apart(a, b Sample) bool {
	if a.N() == 0 || b.N() == 0 {
		return false
	}
	lowA, highA := a.sorted[0], a.sorted[a.N()-1]
	lowB, highB := b.sorted[0], b.sorted[b.N()-1]
	if math.IsInf(highA, 1) || math.IsInf(highB, 1) {
		return false
	}
	return max(lowA-highB, lowB-highA) > max(highA-lowA, highB-lowB)
}

// LeastApart is how often samples of n and m values are Apart at most if nothing differs:
// 1 of 2^(n+m-1) - 1.
//
// Where a gap is wider than all that lies on either side of it, the values are of two kinds,
// and each must have fallen on the side of its sample: 2 of 2^(n+m) ways, where both kinds
// are as frequent. The rest is for values that are all of one kind, which may be two kinds
// when looked at closely, and so on. It is for n and m that differ by no more than the root
// of their sum; elsewhere nothing is promised, and it is 1. That no distribution is worse is not
// proven: TestApartIsRare searches for one.
func LeastApart(n, m int) float64 {
	if n < 1 || m < 1 || (n-m)*(n-m) > n+m || n+m < 3 {
		return 1
	}
	return 1 / (math.Exp2(float64(n+m-1)) - 1)
}

// Family is by how much p is multiplied where so many things are compared with each other:
// half of them, since as many are the pairs of which something is said (docs/statistics.md).
func Family(things int) float64 { return max(1, float64(things)/2) }

// MayStop reports whether an order that is settled may end the measuring of one of two samples
// at n values, where the other has m by then and both would have planned ones otherwise. There
// are two looks then, one of them at the end, and an order that is none may come of either: the
// sum of both chances, multiplied by family, must stay below Alpha.
func MayStop(n, m, planned int, family float64) bool {
	return (LeastApart(n, m)+LeastP(planned, planned))*family < Alpha
}
