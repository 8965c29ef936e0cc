package audit

import (
	"cmp"
	"math/bits"
	"slices"

	"linger"
)

// The weights of what is kept of what is decided, as those of connections that are not.
const (
	weightOfPast   = 13 // a connection
	weightOfPool   = 9
	weightOfClient = 10
	weightOfServer = 16
)

// past is the weight of what is kept of what is decided.
func (a *Auditor) past() int {
	n := len(a.hosts[0])*weightOfClient + len(a.hosts[1])*weightOfServer
	for _, p := range a.pools {
		n += p.weight()
	}
	return n
}

func (p *pool) weight() int {
	n := weightOfPool
	for _, list := range [][]*conn{p.live, p.ended} {
		for _, c := range list {
			n += weightOfPast + weightOfSpan*len(c.spans)
		}
	}
	return n
}

// prune lets go of what a scan of ports leaves: connections that are not open and carried
// nothing, which no later one could have used, and the pools and hosts that had no others.
func (a *Auditor) prune() {
	for k, p := range a.pools {
		p.live = slices.DeleteFunc(p.live, func(c *conn) bool { return !c.stillOpen && !c.carried() })
		if !p.began && len(p.live)+len(p.ended) == 0 {
			delete(a.pools, k)
		}
	}
	a.tidy()
	needed := a.needed()
	for _, hosts := range a.hosts {
		for name, h := range hosts {
			if !needed[h] && !h.used && !h.here {
				delete(hosts, name)
			}
		}
	}
}

// tidy takes pools that are gone out of their clients' lists.
func (a *Auditor) tidy() {
	for c, pools := range a.byClient {
		pools = slices.DeleteFunc(pools, func(p *pool) bool { return a.pools[p.key] != p })
		if a.byClient[c] = pools; len(pools) == 0 {
			delete(a.byClient, c)
		}
	}
}

// needed are the hosts of connections that are not decided, and of pools.
func (a *Auditor) needed() map[*host]bool {
	needed := map[*host]bool{}
	for _, c := range a.fresh {
		needed[c.client], needed[c.server] = true, true
	}
	for k := range a.pools {
		needed[k.client], needed[k.server] = true, true
	}
	return needed
}

// forget lets go of the pools and hosts that have idled the longest, until what is left of what
// is decided has that weight. That a pool had been there is remembered: what is opened in it
// later is not its first.
func (a *Auditor) forget(weight int) {
	held := a.past()
	pools := make([]*pool, 0, len(a.pools))
	for _, p := range a.pools {
		pools = append(pools, p)
	}
	slices.SortFunc(pools, func(x, y *pool) int {
		return cmp.Or(cmp.Compare(x.last(), y.last()), cmp.Compare(x.key.hash(), y.key.hash()))
	})
	for _, p := range pools {
		if held <= weight {
			break
		}
		if p.began {
			a.forgotten.add(p.key.hash())
			a.forgotten.add(p.key.client.hash())
			a.tally.forgotten++
		}
		held -= p.weight()
		delete(a.pools, p.key)
	}
	a.tidy()
	needed := a.needed()
	for side, hosts := range a.hosts {
		var idle []*host
		for _, h := range hosts {
			if !needed[h] {
				idle = append(idle, h)
			}
		}
		slices.SortFunc(idle, func(x, y *host) int { return cmp.Or(cmp.Compare(x.last, y.last), cmp.Compare(x.name, y.name)) })
		for _, h := range idle {
			if held <= weight {
				break
			}
			held -= []int{weightOfClient, weightOfServer}[side]
			delete(hosts, h.name)
		}
	}
}

// last is when a connection of the pool was last there.
func (p *pool) last() (at linger.Instant) {
	for _, list := range [][]*conn{p.live, p.ended} {
		for _, c := range list {
			at = max(at, c.opened, c.last, c.closed)
		}
	}
	return at
}

func (k poolKey) hash() uint64 {
	kind := ""
	if k.udp {
		kind = "+"
	}
	if k.bare {
		kind += "-"
	}
	return hashOf(k.client.name, k.server.name, k.name, kind)
}

func (h *host) hash() uint64 { return hashOf(h.name) }

func hashOf(texts ...string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, which hash/fnv has for bytes alone
	for _, s := range texts {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h *= 1099511628211 // what a text ends with
	}
	return h
}

// Hashes are a set of bounded size, a Bloom filter of 4 MB: what was put in is in it; of what
// was not, one in 500 is when there are two million, and a quarter when there are ten.
type hashes []uint64

const hashesWords = 1 << 19

func (s *hashes) add(h uint64) {
	if *s == nil {
		*s = make(hashes, hashesWords)
	}
	for i := range 4 {
		word, bit := hashesPlace(h, i)
		(*s)[word] |= bit
	}
}

func (s hashes) has(h uint64) bool {
	for i := range 4 {
		if word, bit := hashesPlace(h, i); s == nil || s[word]&bit == 0 {
			return false
		}
	}
	return true
}

// hashesPlace is where the i-th bit of a hash is.
func hashesPlace(h uint64, i int) (word int, bit uint64) {
	h = bits.RotateLeft64(h*0x9e3779b97f4a7c15, 16*i)
	h ^= h >> 29
	return int(h >> 6 % hashesWords), 1 << (h & 63)
}
