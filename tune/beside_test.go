package tune

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

// What two cores find is what one does, with clients that are let go of on the way, and without.
func TestBeside(t *testing.T) {
	for _, most := range []int{0, 200} {
		luck := rand.New(rand.NewPCG(3, uint64(most)))
		all := random(luck, 900, 40_000, 20_000)
		c := Config{Resolution: time.Second, MaxClients: most, Budget: 300}
		two, one := New(c), New(c)
		two.beside.alone, one.beside.alone = false, true
		for i, r := range all {
			r.Client *= 0x9e3779b97f4a7c15
			r.Start = r.Start / sec * sec
			r.End, r.Multiplexed, r.Once = r.Start, r.Client%5 == 0, i%50 == 0
			two.Add(r)
			one.Add(r)
		}
		if two.beside.full == nil {
			t.Error("nothing has been given to another core")
		}
		got, err := json.Marshal(two.End(Asked{Budget: 300}))
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(one.End(Asked{Budget: 300}))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%d clients at most: two cores find\n%s\none\n%s", most, got, want)
		}
		if two.beside.full != nil {
			t.Error("its goroutine is still there")
		}
	}
}
