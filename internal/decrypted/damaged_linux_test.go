package decrypted

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"linger"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/internal/tshark"
	"linger/trace"
)

// A damage is what a capture lacks: which frames are left out, how much of one is kept, and what
// becomes of the key log.
type damage struct {
	name string
	drop func(frame int64, of int64) bool
	cut  int
	keys func([]byte) []byte
}

var damages = []damage{
	{name: "1 % of the frames lost", drop: func(n, _ int64) bool { return n%100 == 37 }},
	{name: "every tenth frame lost", drop: func(n, _ int64) bool { return n%10 == 7 }},
	{name: "cut to 96 bytes", cut: 96},
	{name: "cut to 200 bytes", cut: 200},
	{name: "without its first half", drop: func(n, of int64) bool { return n <= of/2 }},
	{name: "without its first 20 frames", drop: func(n, _ int64) bool { return n <= 20 }},
	{name: "without every other key", keys: func(b []byte) []byte { return everyOther(b) }},
	{name: "wrong secrets", keys: wrong},
	{name: "no keys", keys: func([]byte) []byte { return nil }},
}

func everyOther(b []byte) (out []byte) {
	i, last := 0, ""
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[1] != last {
			i, last = i+1, f[1]
		}
		if i%2 == 0 {
			out = append(out, line...)
		}
	}
	return out
}

// wrong changes a digit of each secret.
func wrong(b []byte) (out []byte) {
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) == 3 {
			digit := "0"
			if f[2][5] == '0' {
				digit = "1"
			}
			line = []byte(f[0] + " " + f[1] + " " + f[2][:5] + digit + f[2][6:] + "\n")
		}
		out = append(out, line...)
	}
	return out
}

func (d damage) read(file string, frames int64) (tshark.Records, packet.Summary, error) {
	f, err := os.Open(file)
	if err != nil {
		return tshark.Records{}, packet.Summary{}, err
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		return tshark.Records{}, packet.Summary{}, err
	}
	log := &secrets.Log{}
	keys := files.Secrets
	if d.keys != nil {
		keys = d.keys(keys)
	}
	log.Add(keys)
	var got tshark.Records
	r := packet.New(packet.Options{Keys: log}, &got)
	for {
		f, err := files.Next()
		if err != nil {
			break
		}
		if d.drop != nil && d.drop(f.Number, frames) {
			continue
		}
		if d.cut > 0 && len(f.Data) > d.cut {
			f.Data = f.Data[:d.cut]
		}
		if err := r.Add(f); err != nil {
			return got, packet.Summary{}, err
		}
	}
	return got, r.Finish(), nil
}

// TestDamaged reads captures that lack something: no exchange is read that there was not, none
// is read twice, and where some are not read, the connection says that not all could be.
func TestDamaged(t *testing.T) {
	needLab(t)
	dir := testDir(t)
	for _, k := range capture(t, dir, 3) {
		whole, sum, err := read(k.file)
		if err != nil {
			t.Fatal(err)
		}
		there := map[string]int{}
		for _, x := range whole.Exchanges {
			there[fmt.Sprint(x.URL, x.Status, x.ResponseBody)]++
		}
		for _, d := range damages {
			t.Run(k.name+", "+d.name, func(t *testing.T) {
				got, lacks, err := d.read(k.file, sum.Frames)
				if err != nil {
					t.Fatal(err)
				}
				seen, exact, partly := map[string]int{}, 0, 0
				for _, x := range got.Exchanges {
					if x.Known == trace.Inferred || x.Failed != "" || x.Done == (linger.Opt[linger.Instant]{}) || x.URL == "" {
						partly++ // and says so itself
						continue
					}
					exact++
					name := fmt.Sprint(x.URL, x.Status, x.ResponseBody)
					if seen[name]++; seen[name] > there[name] {
						t.Errorf("%s is read, and there was none", name)
					}
				}
				extents := map[trace.Keys]int{}
				for _, c := range got.Connections {
					extents[c.TLS.Or(trace.TLS{}).Keys]++
				}
				if exact < len(whole.Exchanges) && extents[trace.AllKeys] == len(got.Connections) && exact+partly < len(whole.Exchanges) && lacks.Missing == 0 && lacks.Cut == 0 {
					t.Errorf("%d of %d exchanges are read, and nothing says that any lacks", exact, len(whole.Exchanges))
				}
				t.Logf("%-32s %3d of %3d exchanges, %d in part, keys %v, missing %d, cut %d", filepath.Base(k.file)+" "+d.name, exact, len(whole.Exchanges), partly, extents, lacks.Missing, lacks.Cut)
			})
		}
	}
}
