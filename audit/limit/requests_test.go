package limit

import (
	"testing"
	"time"
)

// ended has a server end connections after so many requests at so many seconds of age each.
func ended(k *Counts, numbers []int, ages ...float64) *Counts {
	for i, n := range numbers {
		k.End(n, Seconds(ages[i%len(ages)]))
	}
	return k
}

func TestRequests(t *testing.T) {
	for _, test := range []struct {
		name   string
		counts *Counts
		limit  int
		ok     bool
	}{
		{"nothing seen", &Counts{}, 0, false},
		{"once says nothing", ended(&Counts{}, []int{100}, 5), 100, false},
		{"twice the same", ended(&Counts{}, []int{100, 100}, 5, 6), 100, true},
		{"one of ten is another", ended(&Counts{}, []int{100, 100, 100, 100, 100, 100, 100, 100, 100, 7}, 5), 100, true},
		{"one of three is another", ended(&Counts{}, []int{100, 100, 7}, 5), 100, false},
		{"another connection carried more", ended(&Counts{Exceeded: 100}, []int{100, 100}, 5), 100, false},
		{"one request each is no limit", ended(&Counts{}, []int{1, 1, 1}, 5), 1, false},
		{"what it announced", ended(&Counts{Said: 100}, []int{100}, 5), 100, true},
		{"what it announced and nobody reached", &Counts{Said: 100}, 100, false},
		{"it let more pass than it announced", ended(&Counts{Said: 50, Exceeded: 60}, []int{100, 100}, 5), 100, true},
	} {
		limit, _, ok := test.counts.Requests()
		if ok != test.ok || ok && limit != test.limit {
			t.Errorf("%s: %d, %v; want %d, %v", test.name, limit, ok, test.limit, test.ok)
		}
		if got := test.counts.IsRequests(test.limit); got != test.ok {
			t.Errorf("%s: %d requests explain an end: %v", test.name, test.limit, got)
		}
	}
	// An age explains them all too: each was older than any that a response let go on.
	k := ended(&Counts{SurvivedAge: 50 * time.Second}, []int{100, 100}, 60, 61)
	if _, _, ok := k.Requests(); !ok {
		t.Error("no limit of requests")
	}
	if _, _, ok := k.SoleRequests(); ok {
		t.Error("nothing else explains it")
	}
	if _, _, ok := ended(&Counts{SurvivedAge: 50 * time.Second, Said: 100}, []int{100, 100}, 60, 61).SoleRequests(); !ok {
		t.Error("the server has said it")
	}
}

func TestAge(t *testing.T) {
	second := time.Second
	// Connections end at ages that agree, after idle times that do not.
	timed := func(idle ...float64) *Counts {
		k := &Counts{Oldest: 60 * second}
		for i, s := range idle {
			k.Timed.Add(60 + 0.1*float64(i))
			k.TimedIdle.Add(s)
		}
		return k
	}
	for _, test := range []struct {
		name      string
		counts    *Counts
		low, high time.Duration
		timed, ok bool
	}{
		{"nothing seen", &Counts{}, 0, 0, false, false},
		{"by a timer", timed(1, 10, 20), 60 * second, Seconds(60.2), true, true},
		{"idle times agree too", timed(10, 10, 10), 0, 0, false, false},
		{"two are too few", timed(1, 20), 0, 0, false, false},
		{"with a response", ended(&Counts{SurvivedAge: 59 * second}, []int{10, 20, 30}, 60, 61, 62), 59 * second, 60 * second, false, true},
		{"one was older and went on", ended(&Counts{SurvivedAge: 100 * second}, []int{10, 20, 30}, 60, 61, 62), 0, 0, false, false},
		{"a limit of requests explains it", ended(&Counts{SurvivedAge: 59 * second}, []int{10, 10, 10}, 60, 61, 62), 0, 0, false, false},
	} {
		low, high, timed, ok := test.counts.Age()
		if low != test.low || high != test.high || timed != test.timed || ok != test.ok {
			t.Errorf("%s: %v to %v, timed %v, %v", test.name, low, high, timed, ok)
		}
	}
	k := timed(1, 10, 20)
	if !k.IsAge(60*second, true) || k.IsAge(59*second, false) || k.IsAge(61*second, false) {
		t.Error("a timer ends connections at one age, idle or not")
	}
	k = ended(&Counts{SurvivedAge: 59 * second}, []int{10, 20, 30}, 60, 61, 62)
	if !k.IsAge(60*second, false) || k.IsAge(60*second, true) || k.IsAge(58*second, false) {
		t.Error("with a response it is no idling")
	}
}
