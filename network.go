package linger

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// A Rate is a speed in bits a second. Zero is unlimited: no queue builds.
type Rate int64

// Units of rate.
const (
	Kbps Rate = 1000
	Mbps      = 1000 * Kbps
	Gbps      = 1000 * Mbps
)

// Time returns how long n bytes take at this rate, rounded up to the
// nanosecond; nothing when the rate is unlimited.
func (r Rate) Time(n int) time.Duration {
	if r == 0 {
		return 0
	}
	// In 128 bits: one body of 4 GiB in nanoseconds does not fit into 64.
	hi, lo := bits.Mul64(uint64(n)*8, uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(r)-1, 0)
	if hi += carry; hi >= uint64(r) {
		return math.MaxInt64
	}
	t, _ := bits.Div64(hi, lo, uint64(r))
	return time.Duration(min(t, math.MaxInt64))
}

// String returns the rate in its largest whole unit: "12 Mbit/s", "1600 kbit/s".
func (r Rate) String() string {
	switch {
	case r == 0:
		return "unlimited"
	case r%Gbps == 0:
		return fmt.Sprintf("%d Gbit/s", r/Gbps)
	case r%Mbps == 0:
		return fmt.Sprintf("%d Mbit/s", r/Mbps)
	case r%Kbps == 0:
		return fmt.Sprintf("%d kbit/s", r/Kbps)
	}
	return fmt.Sprintf("%d bit/s", int64(r))
}

// A Network is the path between client and origin: one bottleneck in each direction.
type Network struct {
	Name string `json:"name"`
	// RTT is the round-trip time of an empty path; half is added in each direction.
	RTT time.Duration `json:"rtt_us"`
	// Down is the rate towards the client, Up towards the origin.
	Down Rate `json:"down_bps"`
	Up   Rate `json:"up_bps"`
	// Loss is the probability that a packet is lost, in each direction, 0 to 1,
	// independently of every other packet.
	Loss float64 `json:"loss"`
	// Queue is how much waiting the drop-tail queue before each bottleneck holds,
	// as time at that bottleneck's rate. See QueueBytes for the default's floor.
	Queue time.Duration `json:"queue_us"`
}

// MTU is the size of the largest IP packet on every path, in bytes: Ethernet's.
const MTU = 1500

const (
	// DefaultQueue is the waiting room of a network that names none.
	DefaultQueue = 100 * time.Millisecond
	// queueFloor is the smallest default waiting room in bytes: 32 full packets. A slow
	// link with 100 ms of room would not hold one initial window (RFC 6928: ten
	// segments), which no modem ever shipped with.
	queueFloor = 32 * MTU
)

// QueueBytes returns how many bytes may wait at a bottleneck of rate r, beside
// the packet that is being sent: Queue's worth, and where that is DefaultQueue at
// least 32 full packets.
func (n Network) QueueBytes(r Rate) int {
	room := int(float64(r) / 8 * n.Queue.Seconds())
	if n.Queue == DefaultQueue {
		return max(queueFloor, room)
	}
	return room
}

// networks is the one list of named paths. The ten first are WebPageTest's and
// sitespeed.io throttle's profiles, rates and round-trip times as published
// there; the last three are ours.
var networks = []Network{
	{Name: "dial", Down: 49 * Kbps, Up: 30 * Kbps, RTT: 120 * time.Millisecond},
	{Name: "edge", Down: 240 * Kbps, Up: 200 * Kbps, RTT: 840 * time.Millisecond},
	{Name: "3gslow", Down: 400 * Kbps, Up: 400 * Kbps, RTT: 400 * time.Millisecond},
	{Name: "3g", Down: 1600 * Kbps, Up: 768 * Kbps, RTT: 300 * time.Millisecond},
	{Name: "3gfast", Down: 1600 * Kbps, Up: 768 * Kbps, RTT: 150 * time.Millisecond},
	{Name: "4g", Down: 9 * Mbps, Up: 9 * Mbps, RTT: 170 * time.Millisecond},
	{Name: "lte", Down: 12 * Mbps, Up: 12 * Mbps, RTT: 70 * time.Millisecond},
	{Name: "dsl", Down: 1500 * Kbps, Up: 384 * Kbps, RTT: 50 * time.Millisecond},
	{Name: "cable", Down: 5 * Mbps, Up: 1 * Mbps, RTT: 28 * time.Millisecond},
	{Name: "fios", Down: 20 * Mbps, Up: 5 * Mbps, RTT: 4 * time.Millisecond},
	{Name: "lan", Down: 1 * Gbps, Up: 1 * Gbps, RTT: 1 * time.Millisecond},
	{Name: "wan", Down: 100 * Mbps, Up: 100 * Mbps, RTT: 90 * time.Millisecond},
	{Name: "satellite", Down: 20 * Mbps, Up: 3 * Mbps, RTT: 600 * time.Millisecond},
}

// DefaultNetwork is the path of a comparison that names none.
const DefaultNetwork = "lte"

// Networks lists the named paths, in the order in which help shows them.
func Networks() []Network {
	out := make([]Network, len(networks))
	for i, n := range networks {
		n.Queue = DefaultQueue
		out[i] = n
	}
	return out
}

// ParseNetwork returns the path of that name. The error names the nearest one.
func ParseNetwork(name string) (Network, error) {
	var names []string
	for _, n := range Networks() {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return Network{}, unknown("network", name, names, "or set --rtt, --down, --up, --loss, --queue")
}

const (
	maxRTT  = time.Minute
	maxRate = 100 * Gbps
	minRate = 1 * Kbps
)

// Validate reports the first part of the path that no lab and no model can hold.
func (n Network) Validate() error {
	switch {
	case n.RTT < 0 || n.RTT > maxRTT:
		return fmt.Errorf("a round-trip time of %v cannot be emulated; give --rtt 0ms to %v", n.RTT, maxRTT)
	case n.Loss < 0 || n.Loss >= 1 || n.Loss != n.Loss:
		return fmt.Errorf("a loss of %v %% leaves nothing to measure; give --loss 0%% to 99%%", n.Loss*100)
	case n.Queue < 0 || n.Queue > maxRTT:
		return fmt.Errorf("a queue of %v cannot be emulated; give --queue 0ms to %v", n.Queue, maxRTT)
	}
	for _, r := range []Rate{n.Down, n.Up} {
		if r != 0 && (r < minRate || r > maxRate) {
			return fmt.Errorf("a rate of %v cannot be emulated; give --down and --up from 1kbit to 100gbit, or 0 for unlimited", r)
		}
	}
	return nil
}

// ParseRate reads a rate as tc writes it: "12mbit", "1600kbit", "1.5mbit",
// "800bit"; also "12mbit/s" and "12mbps", bits both. "0" and "unlimited" set no
// bound.
func ParseRate(s string) (Rate, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "0" || t == "unlimited" {
		return 0, nil
	}
	t = strings.TrimSuffix(t, "/s")
	unit := Rate(0)
	for _, u := range []struct {
		suffix string
		rate   Rate
	}{{"gbit", Gbps}, {"mbit", Mbps}, {"kbit", Kbps}, {"gbps", Gbps}, {"mbps", Mbps}, {"kbps", Kbps}, {"bit", 1}} {
		if rest, ok := strings.CutSuffix(t, u.suffix); ok {
			t, unit = strings.TrimSpace(rest), u.rate
			break
		}
	}
	v, err := strconv.ParseFloat(t, 64)
	if v *= float64(unit); err != nil || unit == 0 || !(v >= 0 && v <= float64(maxRate)) || 0 < v && v < 1 {
		return 0, fmt.Errorf("%q is not a rate; write 12mbit, 1600kbit or 1gbit", s)
	}
	return Rate(v), nil
}

// ParseLoss reads a share of packets: "1%", "0.5%" or "0.01".
func ParseLoss(s string) (float64, error) {
	t, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v < 1) {
		return 0, fmt.Errorf("%q is not a share of packets; write 1%%, 0.5%% or 0.01", s)
	}
	return v, nil
}
