package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"linger"
	"linger/capture/pcap"
	"linger/flow"
)

// Each host's capture has what it sends when it leaves, and what it is sent when it comes.
func TestCaptureAtEachHost(t *testing.T) {
	dir := t.TempDir()
	create := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	const delay = 10 * time.Millisecond
	c := two()
	c.Network = linger.Network{}
	c.Capture = create("middle")
	points := []*os.File{c.Capture}
	for i := range c.Hosts {
		c.Hosts[i].Delay, c.Hosts[i].Capture = delay, create(c.Hosts[i].Name)
		points = append(points, c.Hosts[i].Capture)
	}
	l := openLab(t, c)
	startServer(t, l, "origin", 100_000)
	if got, _ := output(t, l, role("client", "fetch", "origin")); got != "100000" {
		t.Fatalf("the client got %s bytes", got)
	}
	time.Sleep(5 * delay) // the last FIN, and what answers it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	var inputs []pcap.Input
	for _, f := range points {
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, pcap.Input{Name: f.Name(), From: f})
	}
	files, err := pcap.Open(inputs)
	if err != nil {
		t.Fatal(err)
	}
	var packets [3]int
	var syn, answer []linger.Instant // in order of time
	var synAt, answerAt []int
	for {
		f, err := files.Next()
		if err != nil {
			break
		}
		var p flow.Packet
		if err := p.Parse(f.Data, f.Wire); err != nil {
			t.Fatal(err)
		}
		packets[f.File]++
		switch p.Flags & (flow.SYN | flow.ACK) {
		case flow.SYN:
			syn, synAt = append(syn, f.At), append(synAt, f.File)
		case flow.SYN | flow.ACK:
			answer, answerAt = append(answer, f.At), append(answerAt, f.File)
		}
	}
	if packets[1] == 0 || packets[1] != packets[2] || packets[0] < packets[1] {
		t.Errorf("%d packets in the middle, %d at the client, %d at the origin", packets[0], packets[1], packets[2])
	}
	for name, got := range map[string]struct {
		at    []linger.Instant
		where []int
		want  [3]int
	}{"SYN": {syn, synAt, [3]int{1, 0, 2}}, "its answer": {answer, answerAt, [3]int{2, 0, 1}}} {
		if len(got.where) != 3 || [3]int(got.where) != got.want {
			t.Errorf("%s is seen at %v, want %v", name, got.where, got.want)
			continue
		}
		for i := 1; i < 3; i++ {
			if d := got.at[i].Sub(got.at[i-1]); d < delay {
				t.Errorf("%s takes %v from one place to the next, want %v at least", name, d, delay)
			}
		}
	}
}

func TestTooManyCaptures(t *testing.T) {
	c := Config{}
	for i := range mostCaptures + 1 {
		c.Hosts = append(c.Hosts, HostConfig{Name: string(rune('a' + i)), Capture: os.Stdout})
	}
	if err := c.validate(); err == nil {
		t.Error("a lab with more captures than it writes")
	}
	c.Hosts[0].Capture = nil
	if err := c.validate(); err != nil {
		t.Error(err)
	}
}
