package played

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/internal/testall"
	"linger/internal/tshark"
	"linger/trace"
)

// kept are the records of one capture.
type kept struct{ tshark.Records }

// WriteExchange keeps what tshark counts, too: requests of HTTP, and responses that came
// whole.
func (k *kept) WriteExchange(x *trace.Exchange) error {
	if strings.HasPrefix(x.URL, "dns://") {
		return nil
	}
	one := *x
	if one.Done.IsZero() || one.Failed != "" {
		one.Status = 0
	}
	return k.Records.WriteExchange(&one)
}

// recordsOf also returns how many packets were taken for copies of others.
func recordsOf(file string) (k kept, copies int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return k, 0, err
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		return k, 0, err
	}
	sum, err := packet.Read(files, packet.Options{}, &k)
	return k, sum.Duplicates, err
}

// leastHeld is how many captures of our own are held against tshark, at least. More are
// played, so that a program that is not installed does not matter.
const leastHeld = 40

// holdAgainstTshark holds the records of one capture of each scenario, from all points in
// turn, against what tshark counts: connections, SYNs, retransmissions, requests and
// responses.
func holdAgainstTshark(t *testing.T, takes []take) {
	if _, err := exec.LookPath("tshark"); err != nil {
		skip(t, "%v", err)
	}
	slots := make(chan struct{}, 2)
	var all sync.WaitGroup
	var mu sync.Mutex
	files := 0
	for i := range takes {
		s := &takes[i]
		if s.err != nil || i%testall.Of(1, 4) > 0 {
			continue
		}
		var points []string
		for point := range s.captures {
			points = append(points, point)
		}
		slices.Sort(points)
		point := points[i%len(points)]
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			file := s.captures[point]
			k, copies, err := recordsOf(file)
			if err != nil {
				t.Errorf("%s, %s: %v", s.name, point, err)
				return
			}
			ours, err := tshark.Of(k.Records)
			if err != nil {
				t.Errorf("%s, %s: %v", s.name, point, err)
				return
			}
			theirs, err := tshark.Count(t.Context(), file, "-o", "tcp.reassemble_out_of_order:TRUE")
			if err != nil {
				t.Errorf("%s, %s: %v", s.name, point, err)
				return
			}
			if len(ours) != len(theirs) {
				t.Errorf("%s, %s: %d connections, tshark counts %d", s.name, point, len(ours), len(theirs))
			}
			for n, w := range theirs {
				g := ours[n]
				// A server whose timer ends as a retransmitted SYN comes sends two SYN-ACKs within
				// a millisecond: Linux gives them the same number and the same stamp, and no octet
				// tells the second one from a copy of the first.
				if twins := w.SYN - g.SYN; twins > 0 && twins <= copies && g.Retransmitted+twins == w.Retransmitted {
					t.Logf("%s, %s, tcp.stream %d: %d of %d SYNs are equal to one before, and taken for copies", s.name, point, n, twins, w.SYN)
					g.SYN, g.Retransmitted, copies = w.SYN, w.Retransmitted, copies-twins
				}
				if g != w {
					t.Errorf("%s, %s, tcp.stream %d: %+v, tshark counts %+v", s.name, point, n, g, w)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			files++
		})
	}
	all.Wait()
	t.Logf("%d captures held against tshark", files)
	if len(takes) == len(scenarios) && files < leastHeld {
		t.Errorf("%d captures are held against tshark, and it is to be %d", files, leastHeld)
	}
}
