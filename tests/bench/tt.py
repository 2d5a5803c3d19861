import sys,os,re,statistics
sys.path.insert(0,'/work/wt-perf/tests/bench');sys.path.insert(0,'/work/wt-perf/tests/lib')
import measures
from measures import *
config = tile_config("state", bench_tile("state-4k", 1), (40, 40), (240, 160))
with City(config, env=LIMITS) as city:
    city.wait_tile("state")
    P=[]
    for i in range(60):
        r=swap(city,"state",bench_tile("state-4k",2-i%2),"--strategy","melt"); P.append(r["pause_us"])
    log=city.said()
print(statistics.median(P))
open('/tmp/tt.log','w').write(log)
ev=[]
for m in re.finditer(r"TT (\w) (\S+) (\d+)",log): ev.append((int(m[3]),m[1]+"-"+m[2]))
ev.sort()
seqs=[];cur=None
for t,n in ev:
    if n=="A-yielded": cur=[];seqs.append(cur)
    if cur is not None: cur.append((n,t))
d={}
order=[]
for s in seqs:
    for (n0,t0),(n1,t1) in zip(s,s[1:]):
        k=n1
        if k not in d: order.append(k)
        d.setdefault(k,[]).append((t1-t0)/1000)
for k in order: print(k,len(d[k]),"med %.1f min %.1f max %.1f"%(statistics.median(d[k]),min(d[k]),max(d[k])))
