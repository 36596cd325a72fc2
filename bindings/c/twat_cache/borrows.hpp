// Which types refer to memory that another object owns. A cache must not keep
// a value of such a type: it would outlive what it refers to.
#ifndef TWAT_CACHE_BORROWS_HPP
#define TWAT_CACHE_BORROWS_HPP

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

#include "bytes.hpp"

#if __cplusplus >= 202002L && __has_include(<ranges>)
#include <ranges>
#endif
#if __cplusplus >= 202002L && __has_include(<coroutine>)
#include <coroutine>
#endif
#if __cplusplus >= 202302L && __has_include(<mdspan>)
#include <mdspan>
#endif

namespace twat::detail {

// Iterators are recognised by their category.
template <class T, class = void> struct is_iterator : std::false_type {};
template <class T>
struct is_iterator<T, std::void_t<typename std::iterator_traits<T>::iterator_category>> : std::true_type {};

// References to one bit (std::vector<bool>::reference, std::bitset's): they
// convert to bool and flip the bit they refer to.
template <class T, class = void> struct is_bit_reference : std::false_type {};
template <class T>
struct is_bit_reference<T, std::void_t<decltype(std::declval<T&>().flip())>> : std::is_convertible<T, bool> {};

// A type of its own, not a template: an iterator, a bit reference, or a view of the standard's ranges.
template <class T> constexpr bool is_view_class = is_iterator<T>::value || is_bit_reference<T>::value
#if defined(__cpp_lib_ranges)
                                                  || std::ranges::enable_view<T>
#endif
    ;

template <class T> struct borrows : std::bool_constant<is_view_class<T>> {};
template <class T> struct borrows<const T> : borrows<T> {};
template <class T> struct borrows<T&> : std::true_type {};
template <class T> struct borrows<T&&> : std::true_type {};
// A function is never freed; an object behind a pointer may be.
template <class T> struct borrows<T*> : std::bool_constant<!std::is_function_v<T>> {};
template <> struct borrows<View> : std::true_type {};
template <class C, class T> struct borrows<std::basic_string_view<C, T>> : std::true_type {};
template <class T> struct borrows<std::reference_wrapper<T>> : std::true_type {};
template <class T> struct borrows<std::initializer_list<T>> : std::true_type {};
#ifdef TWAT_HAS_SPAN
template <class T, std::size_t N> struct borrows<std::span<T, N>> : std::true_type {};
#endif
#if defined(__cpp_lib_mdspan)
template <class T, class E, class L, class A> struct borrows<std::mdspan<T, E, L, A>> : std::true_type {};
#endif
#if defined(__cpp_lib_coroutine)
template <class T> struct borrows<std::coroutine_handle<T>> : std::true_type {};
#endif
// std::array and containers of a fixed capacity.
template <template <class, std::size_t> class Template, class T, std::size_t N>
struct borrows<Template<T, N>> : std::bool_constant<is_view_class<Template<T, N>> || borrows<T>::value> {};
// Containers, pairs, tuples, optionals: what they hold decides.
template <template <class...> class Template, class... T>
struct borrows<Template<T...>>
    : std::bool_constant<is_view_class<Template<T...>> || (borrows<T>::value || ...)> {};

} // namespace twat::detail

#endif
