package crowd

import (
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// A pull is what one client got while it loaded pages.
type pull struct {
	share  int
	bytes  int64
	lasted linger.Instant
}

// pulls are what the clients of a run got that wanted a page.
func (r *run) pulls() []pull {
	of := map[int]*pull{}
	var order []*pull
	for _, v := range r.Visits {
		p := of[v.Client]
		if p == nil {
			p = &pull{share: v.Share}
			of[v.Client], order = p, append(order, p)
		}
		p.bytes += v.Bytes
		p.lasted += r.loading(v)
	}
	out := make([]pull, 0, len(order))
	for _, p := range order {
		if p.lasted > 0 {
			out = append(out, *p)
		}
	}
	return out
}

// rate is bytes a second.
func (p pull) rate() float64 { return float64(p.bytes) / (milliseconds(p.lasted) / 1000) }

// rates are those of all clients of a run.
func rates(r *run) []float64 {
	var out []float64
	for _, p := range r.pulls() {
		out = append(out, p.rate())
	}
	return out
}

// jain is Jain's index of fairness (Jain, Chiu and Hawe 1984): the square of the sum over n times
// the sum of squares. It is false where there is nothing to share.
func jain(x []float64) (float64, bool) {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum, squares = sum+v, squares+v*v
	}
	if squares == 0 {
		return 0, false
	}
	return sum * sum / (float64(len(x)) * squares), true
}

// parts are what the shares of a mix got.
func parts(e *Experiment, runs []*run) []Part {
	if len(e.Crowd.Mix) < 2 {
		return nil
	}
	var out []Part
	var all []float64
	for i, share := range e.Crowd.Mix {
		p := Part{Strategy: share.Strategy.Name, Pages: pagesOf(runs, func(v trace.Visit) bool { return v.Share == i })}
		var mine []float64
		clients := 0
		for _, r := range runs {
			came := map[int]bool{}
			for _, v := range r.Visits {
				if v.Share == i {
					came[v.Client] = true
				}
			}
			clients += len(came)
			mine = append(mine, r.ratesOf(i)...)
		}
		p.Clients = clients / len(runs)
		if len(mine) > 0 {
			p.Rate = linger.Known(sum(mine) / float64(len(mine)))
		}
		all = append(all, mine...)
		out = append(out, p)
	}
	if total := sum(all); total > 0 {
		for i, p := range out {
			if rate, ok := p.Rate.Get(); ok {
				out[i].Ratio = linger.Known(rate / (total / float64(len(all))))
			}
		}
	}
	return out
}

// leastShared is how many whole seconds all shares load for, at least, where they are held against
// each other in those alone.
const leastShared = 5

// shared is the part of a run, in whole seconds, in which clients of all shares of its mix have
// come and none has gone for good: who is left alone then has the link to itself. It is false where
// that part is short.
func (r *run) shared() (s span, ok bool) {
	first, last := map[int]linger.Instant{}, map[int]linger.Instant{}
	for _, v := range r.Visits {
		if at, came := first[v.Share]; !came || v.Wanted < at {
			first[v.Share] = v.Wanted
		}
		last[v.Share] = max(last[v.Share], v.Done.Or(r.Ended))
	}
	if s.to = r.Ended; len(first) < len(r.Plan.Mix) {
		return s, false
	}
	for share, at := range first {
		s.from, s.to = max(s.from, at), min(s.to, last[share])
	}
	const second = linger.Instant(time.Second)
	s.from, s.to = (s.from+second-1)/second*second, s.to/second*second
	return s, s.to-s.from >= leastShared*second
}

// ratesOf are the bytes a second that clients of a share got while they loaded pages: of all
// together in the part of the run in which all shares load, else of each in the whole of it.
func (r *run) ratesOf(share int) []float64 {
	var each []float64
	for _, got := range r.pulls() {
		if got.share == share {
			each = append(each, got.rate())
		}
	}
	in, ok := r.shared()
	if !ok || share >= len(r.Received) {
		return each
	}
	bytes, lasted := int64(0), linger.Instant(0)
	for second, n := range r.Received[share] {
		if at := linger.Instant(second) * linger.Instant(time.Second); at >= in.from && at < in.to {
			bytes += n
		}
	}
	for _, v := range r.Visits {
		if v.Share == share {
			lasted += max(0, min(v.Done.Or(r.Ended), in.to)-max(v.Wanted, in.from))
		}
	}
	if lasted == 0 {
		return nil
	}
	return slices.Repeat([]float64{float64(bytes) / (milliseconds(lasted) / 1000)}, len(each))
}

func sum[T int | float64](x []T) T {
	var out T
	for _, v := range x {
		out += v
	}
	return out
}

// largest returns the largest value over the mean.
func largest(x []int) (float64, bool) {
	total := sum(x)
	if total == 0 {
		return 0, false
	}
	return float64(slices.Max(x)) * float64(len(x)) / float64(total), true
}
