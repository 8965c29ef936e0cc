package linger

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Grid is the paths of a sweep: every combination of a loss, a rate and a
// round-trip time, or of a loss and a named path.
type Grid struct {
	// Loss, Down and RTT are the axes, each in ascending order and without
	// repetitions: share of packets lost in each direction, rate towards the client, round-trip
	// time.
	Loss []float64
	Down []Rate
	RTT  []time.Duration
	// Up is the rate towards the origin; where it is not given, it follows Down.
	Up Opt[Rate]
	// Queue is that of every path, as in Network.
	Queue time.Duration
	// Named, where there are any, take the place of Down and RTT.
	Named []Network
}

// MaxPaths bounds a grid.
const MaxPaths = 1_000_000

// Rows and Columns are how many rates and round-trip times there are: what one map
// of the sweep has. Named paths are one row.
func (g Grid) Rows() int {
	if len(g.Named) > 0 {
		return 1
	}
	return len(g.Down)
}

// Columns returns how many paths a row has.
func (g Grid) Columns() int {
	if len(g.Named) > 0 {
		return len(g.Named)
	}
	return len(g.RTT)
}

// Paths returns how many paths there are.
func (g Grid) Paths() int { return len(g.Loss) * g.Rows() * g.Columns() }

// Path returns path number i, from 0: all round-trip times of a rate, all rates of a
// loss.
func (g Grid) Path(i int) Network {
	column, row, loss := i%g.Columns(), i/g.Columns()%g.Rows(), g.Loss[i/g.Columns()/g.Rows()]
	if len(g.Named) > 0 {
		n := g.Named[column]
		n.Loss = loss
		if g.Queue != DefaultQueue {
			n.Queue = g.Queue
		}
		return n
	}
	return Network{RTT: g.RTT[column], Down: g.Down[row], Up: g.Up.Or(g.Down[row]), Loss: loss, Queue: g.Queue}
}

// Validate reports the first part of the grid that no model can hold.
func (g Grid) Validate() error {
	if g.Paths() == 0 {
		return errors.New("there is no path to predict; give at least one round-trip time, rate and loss")
	}
	// Multiplied one by one, so that nothing overflows.
	if g.Rows() > MaxPaths || g.Rows()*g.Columns() > MaxPaths || g.Paths() > MaxPaths {
		return fmt.Errorf("%d losses, %d rates and %d round-trip times are more than %d paths; give fewer, or fewer --steps", len(g.Loss), g.Rows(), g.Columns(), MaxPaths)
	}
	// Each value of an axis stands in one of these paths.
	for i := range max(len(g.Loss), g.Rows(), g.Columns()) {
		column, row, loss := min(i, g.Columns()-1), min(i, g.Rows()-1), min(i, len(g.Loss)-1)
		if err := g.Path((loss*g.Rows()+row)*g.Columns() + column).Validate(); err != nil {
			return err
		}
	}
	return nil
}

// maxSteps bounds the steps of one range.
const maxSteps = 10_000

// ParseRTTs reads round-trip times: a list with commas of durations and of ranges,
// as "5ms..600ms", of which it makes steps values in equal ratios.
func ParseRTTs(s string, steps int) ([]time.Duration, error) {
	return parseAxis(s, steps, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write 90ms or 1.5s, a list as 20ms,90ms, or a range as 5ms..600ms", s)
		}
		return d, nil
	}, func(v float64) time.Duration { return time.Duration(math.Round(v)) })
}

// ParseRates reads rates, as ParseRTTs does. None may be unlimited, which lies on no
// axis.
func ParseRates(s string, steps int) ([]Rate, error) {
	return parseAxis(s, steps, func(s string) (Rate, error) {
		r, err := ParseRate(s)
		if err == nil && r == 0 {
			err = errors.New("a rate of 0 is unlimited, which is on no map; write a rate from 1kbit to 100gbit")
		}
		return r, err
	}, func(v float64) Rate { return Rate(math.Round(v)) })
}

// ParseLosses reads shares of packets, as ParseRTTs does.
func ParseLosses(s string, steps int) ([]float64, error) {
	return parseAxis(s, steps, ParseLoss, func(v float64) float64 { return v })
}

// parseAxis reads one axis. whole makes a value of what stands between two others.
func parseAxis[T time.Duration | Rate | float64](s string, steps int, parse func(string) (T, error), whole func(float64) T) ([]T, error) {
	if steps < 2 || steps > maxSteps {
		return nil, fmt.Errorf("%d steps make no range; give 2 to %d", steps, maxSteps)
	}
	var out []T
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		low, high, isRange := strings.Cut(item, "..")
		from, err := parse(strings.TrimSpace(low))
		if err != nil {
			return nil, err
		}
		if !isRange {
			out = append(out, from)
			continue
		}
		to, err := parse(strings.TrimSpace(high))
		switch {
		case err != nil:
			return nil, err
		case from <= 0:
			return nil, fmt.Errorf("%q: steps in equal ratios cannot begin at %s; begin above 0, and name 0 by itself", item, low)
		case from > to:
			return nil, fmt.Errorf("%q runs backwards; write %s..%s", item, high, low)
		}
		first, last := float64(from), float64(to)
		for i := range steps {
			switch i {
			case 0:
				out = append(out, from)
			case steps - 1:
				out = append(out, to)
			default:
				out = append(out, whole(readable(first*math.Pow(last/first, float64(i)/float64(steps-1)), math.Pow(last/first, 1/float64(steps-1)))))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// readable rounds v to two digits, or to four where the next value is too near for
// that.
func readable(v, ratio float64) float64 {
	digits := 2
	if ratio < 1.2 {
		digits = 4
	}
	unit := math.Pow10(int(math.Floor(math.Log10(v))) + 1 - digits)
	if unit < 1 {
		// Divided, since the reciprocal of a power of ten is exact and it is not.
		scale := math.Round(1 / unit)
		return math.Round(v*scale) / scale
	}
	return math.Round(v/unit) * unit
}

// A CrowdGrid is the crowds of a sweep: each number of clients with each time between two pages,
// and the idle timeouts with which a server may meet each of them.
type CrowdGrid struct {
	// Clients and Think are in ascending order, think times by their mean.
	Clients []int
	Think   []Think
	// Idle is in ascending order; 0, which is no limit, comes last.
	Idle []time.Duration
}

// MaxCrowds bounds the cells of such a grid, MaxIdle its idle timeouts.
const (
	MaxCrowds = 1_000
	MaxIdle   = 24
)

// Cells is how many crowds there are.
func (g CrowdGrid) Cells() int { return len(g.Clients) * len(g.Think) }

// Cell returns the clients and the think time of cell i, from 0: all think times of the fewest
// clients first.
func (g CrowdGrid) Cell(i int) (clients int, think Think) {
	return g.Clients[i/len(g.Think)], g.Think[i%len(g.Think)]
}

// Validate reports the first part of the grid that cannot be predicted.
func (g CrowdGrid) Validate() error {
	switch {
	case g.Cells() == 0 || len(g.Idle) == 0:
		return errors.New("there is no crowd to predict; give at least one number of clients, think time and idle timeout")
	case g.Cells() > MaxCrowds:
		return fmt.Errorf("%d numbers of clients and %d think times are more than %d crowds; give fewer", len(g.Clients), len(g.Think), MaxCrowds)
	case len(g.Idle) > MaxIdle:
		return fmt.Errorf("%d idle timeouts; give at most %d", len(g.Idle), MaxIdle)
	}
	return nil
}

// ParseClients reads numbers of clients, as ParseRTTs does: "10,50,200" or "10..1000".
func ParseClients(s string, steps int) ([]int, error) {
	axis, err := parseAxis(s, steps, func(s string) (float64, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > MaxClients {
			return 0, fmt.Errorf("%q is not a number of clients; write 50, a list as 10,50,200, or a range as 10..1000, from 1 to %d", s, MaxClients)
		}
		return float64(n), nil
	}, math.Round)
	out := make([]int, len(axis))
	for i, v := range axis {
		out[i] = int(v)
	}
	return slices.Compact(out), err
}

// ParseThinks reads a list of think times, each as ParseThink does.
func ParseThinks(s string) ([]Think, error) {
	var out []Think
	for item := range strings.SplitSeq(s, ",") {
		t, err := ParseThink(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b Think) int { return cmp.Compare(a.Mean(), b.Mean()) })
	return slices.Compact(out), nil
}

// ParseIdles reads idle timeouts, as ParseRTTs does; 0 and none are no limit.
func ParseIdles(s string, steps int) ([]time.Duration, error) {
	out, err := parseAxis(s, steps, func(s string) (time.Duration, error) {
		if s == "none" {
			return 0, nil
		}
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > MaxCrowd {
			return 0, fmt.Errorf("%q is not an idle timeout; write 5s, a list as 1s,5s,15s, or 0 for no limit; at most %v", s, MaxCrowd)
		}
		return d, nil
	}, func(v float64) time.Duration { return time.Duration(math.Round(v)) })
	if len(out) > 0 && out[0] == 0 {
		out = append(out[1:], 0)
	}
	return out, err
}
