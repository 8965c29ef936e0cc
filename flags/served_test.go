package flags

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/fault"
)

func TestServed(t *testing.T) {
	for _, test := range []struct {
		name   string
		served Served
		want   string // the workload, or what is wrong
	}{
		{"the usual", Served{}, linger.DefaultWorkload},
		{"names where names are asked for", Served{ByName: true}, linger.Names().Name},
		{"a workload", Served{Workload: "api"}, "api"},
		{"a page by DNS", Served{Workload: "api", ByName: true}, "has no names to look up"},
		{"answers of a page", Served{AnswerSize: 100}, "are for answers of DNS"},
		{"two workloads", Served{Workload: "api", Names: "list"}, "give one of them"},
		{"an endless delay", Served{ByName: true, Delay: "1000h"}, "is not a time to wait"},
	} {
		w, _, err := test.served.Load(t.Context())
		switch {
		case err == nil && w.Name != test.want:
			t.Errorf("%s: %s, want %s", test.name, w.Name, test.want)
		case err != nil && (fault.KindOf(err) != fault.WrongUsage || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	w, _, err := Served{ByName: true, AnswerSize: 300, Delay: "20ms"}.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range w.Exchanges {
		if e.ResponseBody != 300 || e.Delay != 20*time.Millisecond {
			t.Errorf("an answer is %+v", e)
		}
	}
}
