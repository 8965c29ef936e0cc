package lab

import (
	"net/netip"
	"time"

	"linger"
)

// ranges gives each host with further addresses a range for them, 10.11.0.0/16 and up in the
// order of the hosts.
func (c Config) ranges() map[string]netip.Prefix {
	out := map[string]netip.Prefix{}
	for i, h := range c.Hosts {
		if h.Addresses > 0 {
			out[h.Name] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, firstRange + byte(i)}), 16)
		}
	}
	return out
}

// firstRange is the second number of the first host's range.
const firstRange = 11

// further lists the further addresses of each host.
func (c Config) further() map[string][]netip.Addr {
	ranges, out := c.ranges(), map[string][]netip.Addr{}
	for _, h := range c.Hosts {
		a := ranges[h.Name].Addr()
		for range h.Addresses {
			a = a.Next()
			out[h.Name] = append(out[h.Name], a)
		}
	}
	return out
}

// What many clients cost the lab in time of the processor, both ends together, of linger's own
// client and server, and what is between; docs/fidelity.md has how that was measured.
const (
	requestCost = 150 * time.Microsecond
	connectCost = 200 * time.Microsecond
	tlsCost     = 2000 * time.Microsecond // of a handshake; all clients have theirs at one moment
	packetCost  = 5 * time.Microsecond
	quicCost    = 35 * time.Microsecond // of a packet of QUIC
	// opening is how many packets open and close a connection.
	opening = 10
	// onTime is the part of the cores' time that may be asked for while nearly all packets are on
	// time, mostly that from which on most are not.
	onTime, mostly = 0.5, 0.9
	// mostClients were tried in one lab.
	mostClients = 1000
)

// CrowdCapacity returns how many clients of a crowd that loads a scenario's workload one lab
// carries on so many cores: surely as many with packets on time, and at most so many where their
// lateness is looked at. Loads that are spread, by arrivals at random and by time to think, or
// that wait for one bottleneck, let it carry more clients than loads that begin at one moment, each
// on a link of its own. Of a mix the strategy counts that asks for most. At least one.
func CrowdCapacity(s linger.Scenario, c linger.Crowd, cores int) (surely, most int) {
	surely, most = mostClients, mostClients
	for _, s.Strategy = range c.Strategies(s) {
		surely = min(surely, carried(s, c, onTime*float64(max(cores, 1))))
		most = min(most, carried(s, c, mostly*float64(max(cores, 1))))
	}
	return surely, most
}

// carried is how many clients so many cores carry that do nothing else.
func carried(s linger.Scenario, c linger.Crowd, cores float64) int {
	cost, turn := pageNeeds(s)
	loads := cores / cost.Seconds() // a second
	switch spread := c.Arrivals > 0 && c.Arrivals <= loads; {
	case c.Shared && s.Network.Down > 0 && 1/transfer(s).Seconds() <= loads, spread && c.Visits == 1:
		return mostClients
	case spread:
		turn += c.Think.Mean()
	}
	return int(min(mostClients, max(1, loads*turn.Seconds())))
}

// pageNeeds is the processor's time for one load, and the least that it takes on a link of its own:
// the first exchange, and then the others' round trips or the bottleneck's time, whichever is more.
func pageNeeds(s linger.Scenario) (cost, least time.Duration) {
	requests := len(s.Workload.Exchanges)
	parallel := s.Strategy.Parallel()
	if parallel == linger.Unlimited {
		parallel = requests
	}
	setup := 1 // round trips of a new connection
	connecting := connectCost
	if s.Workload.Scheme == linger.SchemeHTTPS {
		connecting += tlsCost
		setup++
	}
	perPacket := packetCost
	if s.Strategy.QUIC() {
		perPacket = quicCost
		setup--
	}
	connections := min(max(1, s.Strategy.Connections), requests)
	rounds := (requests - 1 + parallel - 1) / parallel
	if !s.Strategy.Persistent {
		connections = requests
		rounds *= 1 + setup
	}
	// Data, and an acknowledgement for every other packet of it.
	packets := opening*connections + int(s.Workload.Bytes()/(linger.MTU-40)*3/2)
	cost = time.Duration(requests)*requestCost + time.Duration(connections)*connecting + time.Duration(packets)*perPacket
	return cost, time.Duration(setup+1)*s.Network.RTT + max(time.Duration(rounds)*s.Network.RTT, transfer(s))
}

// transfer is how long the bottleneck is busy with one load.
func transfer(s linger.Scenario) time.Duration {
	if s.Network.Down == 0 {
		return 0
	}
	return time.Duration(float64(s.Workload.Bytes()) * 8 / float64(s.Network.Down) * float64(time.Second))
}
