package policy

import (
	"slices"
	"testing"

	"linger"
)

// TestBalancer opens connections of clients 0, 1, 2, ... and sees where they go; "x" closes the
// first server's, "+" adds one.
func TestBalancer(t *testing.T) {
	for _, c := range []struct {
		name    string
		balance linger.Balance
		steps   string
		want    []int
	}{
		{"each in its turn", linger.RoundRobin, "oooo", []int{0, 1, 2, 0}},
		{"the empty one is round robin", "", "oooo", []int{0, 1, 2, 0}},
		{"one more has its turn", linger.RoundRobin, "oo+ooo", []int{0, 1, 2, 3, 0}},
		{"the emptiest, among equals in turn", linger.LeastConnections, "oooxoo", []int{0, 1, 2, 0, 1}},
		{"what closes at once leaves the turn", linger.LeastConnections, "oxoo", []int{0, 1, 2}},
		{"an added one is filled first", linger.LeastConnections, "oooooo+oooo", []int{0, 1, 2, 0, 1, 2, 3, 3, 0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, client, got := NewBalancer(c.balance, 3, 1), 0, []int(nil)
			for _, step := range c.steps {
				switch step {
				case 'o':
					got = append(got, b.HandleOpen(client))
					client++
				case 'x':
					b.HandleClosed(0)
				case '+':
					b.HandleAdded()
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got servers %v, want %v", got, c.want)
			}
		})
	}
}

// TestBalancerShares holds what is left to chance against its share: 10,000 connections of as
// many clients on four servers are 2,500 each, with a standard deviation of 43.
func TestBalancerShares(t *testing.T) {
	for _, balance := range []linger.Balance{linger.RandomBalance, linger.HashBalance} {
		b, count := NewBalancer(balance, 4, 1), make([]int, 4)
		for client := range 10_000 {
			count[b.HandleOpen(client)]++
		}
		if slices.Min(count) < 2500-5*43 || slices.Max(count) > 2500+5*43 {
			t.Errorf("%s: servers have %v connections", balance, count)
		}
	}
}

// TestBalancerHash sees that a client keeps its server, and that an added one takes clients of
// all the others, its share, and moves no other.
func TestBalancerHash(t *testing.T) {
	const clients = 10_000
	b, before, taken := NewBalancer(linger.HashBalance, 4, 1), make([]int, clients), make([]int, 4)
	for client := range clients {
		before[client] = b.HandleOpen(client)
		if again := b.HandleOpen(client); again != before[client] {
			t.Fatalf("client %d: server %d, then %d", client, before[client], again)
		}
	}
	b.HandleAdded()
	for client := range clients {
		switch after := b.HandleOpen(client); after {
		case before[client]:
		case 4:
			taken[before[client]]++
		default:
			t.Fatalf("client %d moved from server %d to %d", client, before[client], after)
		}
	}
	// A fifth of 2,500 is 500, with a standard deviation of 22 at fixed halves, and less than 24.
	if slices.Min(taken) < 500-5*24 || slices.Max(taken) > 500+5*24 {
		t.Errorf("the added server took %v clients of the others", taken)
	}
}
