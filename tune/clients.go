package tune

// clients gives each client a place, by open addressing: the numbers of clients are hashes
// already. A place is below the most clients that there were at once.
type clients struct {
	slots []slot // a power of two of them, at most half of them taken
	n     int
	next  int32
	free  []int32
}

type slot struct {
	client uint64
	place  int32 // from 1; 0 is an empty slot
}

// place returns that of a client, and whether it had one.
func (c *clients) place(client uint64) (int32, bool) {
	if 2*c.n >= len(c.slots) {
		c.grow()
	}
	mask := uint64(len(c.slots) - 1)
	i := client & mask
	for c.slots[i].place != 0 {
		if c.slots[i].client == client {
			return c.slots[i].place - 1, true
		}
		i = (i + 1) & mask
	}
	place := c.next
	if n := len(c.free); n > 0 {
		place, c.free = c.free[n-1], c.free[:n-1]
	} else {
		c.next++
	}
	c.slots[i] = slot{client, place + 1}
	c.n++
	return place, false
}

func (c *clients) grow() {
	old := c.slots
	c.slots = make([]slot, max(1<<10, 2*len(old)))
	mask := uint64(len(c.slots) - 1)
	for _, s := range old {
		if s.place == 0 {
			continue
		}
		i := s.client & mask
		for c.slots[i].place != 0 {
			i = (i + 1) & mask
		}
		c.slots[i] = s
	}
}

// forget lets go of clients, and tells their places.
func (c *clients) forget(gone func(uint64) bool, of func(place int32)) {
	old := c.slots
	c.slots, c.n = make([]slot, len(old)), 0
	mask := uint64(len(c.slots) - 1)
	for _, s := range old {
		switch {
		case s.place == 0:
			continue
		case gone(s.client):
			c.free = append(c.free, s.place-1)
			of(s.place - 1)
			continue
		}
		i := s.client & mask
		for c.slots[i].place != 0 {
			i = (i + 1) & mask
		}
		c.slots[i] = s
		c.n++
	}
}
