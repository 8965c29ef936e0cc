package flags

import (
	"slices"
	"strings"
	"testing"
	"time"

	"linger/fault"
	"linger/policy"
)

func TestCapacity(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, test := range []struct {
		name  string
		flags CapacityFlags
		want  policy.Capacity
		words string
		wrong string // what is wrong, empty where nothing is
	}{
		{"nothing is said", CapacityFlags{WhenFull: "wait"}, policy.Capacity{MaxConnections: 100}, "", ""},
		{"everything", CapacityFlags{n(2), n(3), "refuse", 4, "5ms", 6},
			policy.Capacity{Workers: 2, MaxConnections: 3, WhenFull: policy.FullRefuse, Backlog: 4, Service: 5 * time.Millisecond, Cores: 6},
			"--server-workers 2 --max-connections 3 --when-full refuse --backlog 4 --service 5ms --cores 6", ""},
		{"no limit", CapacityFlags{MaxConnections: n(0), WhenFull: "wait"}, policy.Capacity{}, "--max-connections 0", ""},
		{"no worker", CapacityFlags{ServerWorkers: n(0)}, policy.Capacity{}, "--server-workers 0", "serves nobody"},
		{"fewer than none", CapacityFlags{MaxConnections: n(-1)}, policy.Capacity{}, "--max-connections -1", "give 1 or more"},
		{"no service", CapacityFlags{Service: "0s"}, policy.Capacity{}, "--service 0s", "not a time to work"},
		{"cores without work", CapacityFlags{Cores: 2}, policy.Capacity{}, "--cores 2", "--service"},
		{"never full", CapacityFlags{MaxConnections: n(0), WhenFull: "refuse"}, policy.Capacity{}, "--max-connections 0 --when-full refuse", "nothing is ever full"},
		{"a long backlog", CapacityFlags{Backlog: 100_000}, policy.Capacity{}, "--backlog 100000", "65535"},
	} {
		got, err := test.flags.Parse(100)
		switch {
		case test.wrong == "" && (err != nil || got != test.want):
			t.Errorf("%s: %+v, %v; want %+v", test.name, got, err, test.want)
		case test.wrong != "" && (fault.KindOf(err) != fault.WrongUsage || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want %q", test.name, err, test.wrong)
		}
		if words := test.flags.Words(); !slices.Equal(words, strings.Fields(test.words)) {
			t.Errorf("%s: %q, want %q", test.name, words, test.words)
		}
	}
}
