import {measure} from './harness.mjs'
import twat from '../lib/index.js'
import {LRUCache} from 'lru-cache'
const keys=Array.from({length:2000},(_,i)=>'key:'+i);
const l=new LRUCache({max:1000}),lt=new LRUCache({max:1000,ttl:100000});
for(const k of keys.slice(0,512)){l.set(k,{k});lt.set(k,{k})}
const m=new Map(keys.map(k=>[k,{k,slot:1}]))
const mk=(o)=>twat.memoize(x=>({x}),o)
const f=mk({max:1000}),u=mk({}),fi=mk({max:1000,policy:'fifo'}),sv=mk({max:1000,policy:'sieve'}),s3=mk({max:1000,policy:'s3fifo'}),ft=mk({max:1000,ttl:1e6})
const log=new Int32Array(4096);
const rows=[
['map',n=>{let x;for(let i=0;i<n;i++)x=m.get(keys[i&511]);return x}],
['map+log',n=>{let x,j=0;for(let i=0;i<n;i++){x=m.get(keys[i&511]);log[j++]=x.slot;if(j===4096)j=0}return x}],
['memo lru',n=>{for(let i=0;i<n;i++)f(keys[i&511])}],
['memo lru numbers',n=>{for(let i=0;i<n;i++)f(i&511)}],
['memo unbounded',n=>{for(let i=0;i<n;i++)u(keys[i&511])}],
['memo fifo',n=>{for(let i=0;i<n;i++)fi(keys[i&511])}],
['memo sieve',n=>{for(let i=0;i<n;i++)sv(keys[i&511])}],
['memo s3fifo',n=>{for(let i=0;i<n;i++)s3(keys[i&511])}],
['memo ttl',n=>{for(let i=0;i<n;i++)ft(keys[i&511])}],
['lru',n=>{for(let i=0;i<n;i++)l.get(keys[i&511])}],
['lru ttl',n=>{for(let i=0;i<n;i++)lt.get(keys[i&511])}],
]
const only=process.argv[2]
for(const [k,x] of measure(rows.filter(([n])=>!only||n===only)))console.log(k.padEnd(20),x.toFixed(1))
