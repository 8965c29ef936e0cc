package flow

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"linger"
)

// benchPackets are one packet each of IPv4 and IPv6, of TCP with 1,448 bytes.
func benchPackets() map[string][]byte {
	return map[string][]byte{
		"IPv4": tcp4(1, ACK, 12, 1448),
		"IPv6": tcp6(1, ACK, 12, 1448),
	}
}

// readdress makes b, of IPv4 or IPv6, a packet of flow n, from either end. Fields are
// written in the sizes in which they are read, or the processor would wait for itself.
func readdress(b []byte, n uint32, back bool) {
	local, remote, from, to, ports := uint64(0x0a000000|n>>8), uint64(0x0b000001), 8, 24, 40
	port, other := 0x8000|n&0xff, uint32(443)
	if back {
		local, remote, port, other = remote, local, other, port
	}
	if b[0]>>4 == 4 {
		from, to, ports = 12, 16, 20
		binary.BigEndian.PutUint32(b[from:], uint32(local))
		binary.BigEndian.PutUint32(b[to:], uint32(remote))
	} else {
		binary.BigEndian.PutUint64(b[from+8:], local)
		binary.BigEndian.PutUint64(b[to+8:], remote)
	}
	binary.BigEndian.PutUint32(b[ports:], port<<16|other)
}

func BenchmarkParse(b *testing.B) {
	for name, data := range benchPackets() {
		b.Run(name, func(b *testing.B) {
			var p Packet
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Parse(data, len(data)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}

// BenchmarkTable is what a packet costs from its bytes to its flow's counts, in either kind
// of table, where each packet is of another flow than the one before: the worst for the
// caches of the processor. The packet itself is in them.
func BenchmarkTable(b *testing.B) {
	for name, data := range benchPackets() {
		for _, flows := range []uint32{1, 1_000, 100_000} {
			for _, kind := range []string{"keeps", "hands over"} {
				b.Run(fmt.Sprintf("%s/%d/%s", name, flows, kind), func(b *testing.B) {
					c := Config{Limit: 100_000}
					if kind == "hands over" {
						c.Ended, c.Linger, c.Quiet = func(*Flow, Outcome) {}, time.Minute, time.Minute
					}
					t := NewTable(c)
					var p Packet
					var at linger.Instant
					add := func(n uint32, back bool) {
						readdress(data, n, back)
						if err := p.Parse(data, len(data)); err != nil {
							b.Fatal(err)
						}
						at++
						t.Add(&p, at)
					}
					for n := range flows {
						add(n, false)
						add(n, true)
					}
					i := uint32(1)
					b.ReportAllocs()
					for b.Loop() {
						i = i*1664525 + 1013904223
						add(uint32(uint64(i)*uint64(flows)>>32), i&0x100 != 0)
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pkts/s")
					if t.Len() != int(flows) {
						b.Fatalf("%d flows", t.Len())
					}
				})
			}
		}
	}
}

// BenchmarkFlood is what a SYN costs that finds the table full and is never answered.
func BenchmarkFlood(b *testing.B) {
	for _, limit := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(limit), func(b *testing.B) {
			t := NewTable(Config{Limit: limit, Ended: func(*Flow, Outcome) {}})
			data := tcp4(1, SYN, 20, 0)
			var p Packet
			n := uint32(0)
			add := func() {
				n++
				readdress(data, n, false)
				p.Parse(data, len(data))
				t.Add(&p, linger.Instant(n))
			}
			for range limit {
				add()
			}
			b.ReportAllocs()
			for b.Loop() {
				add()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}
